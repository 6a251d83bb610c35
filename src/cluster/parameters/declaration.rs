//! Reads the declarations: `# platform: param NAME TYPE DEFAULT DESCRIPTION`.

use super::{Parameter, ParameterType};
use crate::cluster::yaml::{Place, Problem, comments, shown};

/// Maximum number of parameters of a file.
pub(super) const MAX_PARAMETERS: usize = 50;
/// Maximum length of a name.
const MAX_NAME: usize = 63;
/// Maximum length of a description, in characters.
const MAX_DESCRIPTION: usize = 500;
/// Maximum number of values of an enum.
const MAX_OPTIONS: usize = 50;

/// The parameters that are declared in a text that [`read`](crate::cluster::yaml::read) accepts.
///
/// # Errors
/// Every declaration that cannot be read, with its position.
pub fn declared(yaml: &str) -> Result<Vec<Parameter>, Vec<Problem>> {
    let at = |place, what| Problem { place, path: String::new(), what };
    let found = comments(yaml, "platform:").map_err(|error| {
        let place = error.place().unwrap_or(Place { line: 1, column: 1 });
        vec![at(place, format!("the comments cannot be read: {error}"))]
    })?;
    let (mut parameters, mut problems) = (Vec::<Parameter>::new(), Vec::new());
    for (place, comment) in found {
        let parameter = match Line::of_declaration(&comment, place).map(Line::read) {
            None => continue,
            Some(Ok(parameter)) => parameter,
            Some(Err(problem)) => {
                problems.push(problem);
                continue;
            }
        };
        if let Some(first) = parameters.iter().find(|other| other.name == parameter.name) {
            let what = format!("the parameter {} is already declared on line {}", first.name, first.place.line);
            problems.push(at(parameter.place, what));
        } else if parameters.len() == MAX_PARAMETERS {
            let what = format!("the file has more than {MAX_PARAMETERS} parameters, which is the limit");
            problems.push(at(parameter.place, what));
            break;
        } else {
            parameters.push(parameter);
        }
    }
    if problems.is_empty() { Ok(parameters) } else { Err(problems) }
}

/// The rest of a comment.
struct Line<'t> {
    whole: &'t str,
    rest: &'t str,
    /// The position of its `#`.
    start: Place,
}

impl<'t> Line<'t> {
    /// What follows `platform: param`, if the comment begins so.
    fn of_declaration(comment: &'t str, start: Place) -> Option<Self> {
        let rest = comment.trim_start().strip_prefix("platform:")?.trim_start().strip_prefix("param")?;
        (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some(Self { whole: comment, rest, start })
    }

    fn read(mut self) -> Result<Parameter, Problem> {
        let (place, name) = self.word();
        let place = if name.is_empty() { self.start } else { place };
        check_name(name).map_err(|what| problem(place, what))?;
        let name_place = place;
        let of_type = self.of_type()?;
        let default = self.default(name, &of_type)?;
        let description = self.rest.trim();
        if description.chars().count() > MAX_DESCRIPTION {
            let count = description.chars().count();
            let what = format!("the description has {count} characters; at most {MAX_DESCRIPTION} are allowed");
            return Err(problem(self.here(), what));
        }
        let (name, description) = (name.to_owned(), description.to_owned());
        Ok(Parameter { name, of_type, default, description, place: name_place })
    }

    /// The position of the rest.
    fn here(&self) -> Place {
        let read = self.whole[..self.whole.len() - self.rest.len()].chars().count();
        let column = self.start.column.saturating_add(1).saturating_add(u32::try_from(read).unwrap_or(u32::MAX));
        Place { line: self.start.line, column }
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// The next word and its position; empty at the end.
    fn word(&mut self) -> (Place, &'t str) {
        self.skip_blanks();
        let place = self.here();
        let (word, rest) = self.rest.split_at(self.rest.find(char::is_whitespace).unwrap_or(self.rest.len()));
        self.rest = rest;
        (place, word)
    }

    fn of_type(&mut self) -> Result<ParameterType, Problem> {
        self.skip_blanks();
        if let Some(rest) = self.rest.strip_prefix("enum(") {
            let place = self.here();
            let Some((options, rest)) = rest.split_once(')') else {
                return Err(problem(place, "the enum is not closed; write enum(a|b|c)"));
            };
            self.rest = rest;
            return options_of(options).map(ParameterType::Enum).map_err(|what| problem(place, what));
        }
        let (place, word) = self.word();
        Ok(match word {
            "string" => ParameterType::String,
            "int" => ParameterType::Int,
            "number" => ParameterType::Number,
            "bool" => ParameterType::Bool,
            "quantity" => ParameterType::Quantity,
            other => {
                const ALLOWED: &str = "string, int, number, bool, quantity or enum(a|b|c)";
                let what = match other {
                    "" => format!("the type is missing; it must be {ALLOWED}"),
                    other => format!("the type {} is not known; it must be {ALLOWED}", shown(other)),
                };
                return Err(problem(place, what));
            }
        })
    }

    fn default(&mut self, name: &str, of_type: &ParameterType) -> Result<Option<String>, Problem> {
        self.skip_blanks();
        let place = self.here();
        let value = if self.rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
            let value = values.next().and_then(Result::ok).ok_or_else(|| {
                problem(place, "the default is not a valid string: it must end with a quote, and be escaped as in JSON")
            })?;
            self.rest = self.rest.get(values.byte_offset()..).unwrap_or_default();
            if !self.rest.is_empty() && !self.rest.starts_with(char::is_whitespace) {
                return Err(problem(self.here(), "a blank must follow the default"));
            }
            value
        } else {
            match self.word().1 {
                "" => {
                    let what = "the default is missing; write - if a value must be given";
                    return Err(problem(place, what));
                }
                "-" => return Ok(None),
                word => word.to_owned(),
            }
        };
        let fits = of_type.check(&value);
        fits.map_err(|why| problem(place, format!("the default of {name} was {}; it must be {why}", shown(&value))))?;
        Ok(Some(value))
    }
}

/// The values of an enum, separated by `|`.
fn options_of(text: &str) -> Result<Vec<String>, String> {
    let options: Vec<String> = text.split('|').map(|option| option.trim().to_owned()).collect();
    if options.len() > MAX_OPTIONS {
        return Err(format!("the enum has {} values; at most {MAX_OPTIONS} are allowed", options.len()));
    }
    if options.iter().any(String::is_empty) {
        return Err("a value of the enum is empty; write enum(a|b|c)".to_owned());
    }
    match options.iter().enumerate().find(|(index, option)| options.iter().take(*index).any(|one| one == *option)) {
        Some((_, twice)) => Err(format!("the enum has the value {} twice", shown(twice))),
        None => Ok(options),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    const ALLOWED: &str = "1 to 63 letters, digits, \"-\" and \"_\", beginning with a letter or \"_\"";
    let legal = name.bytes().all(is_of_name) && !name.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    match (name, legal && name.len() <= MAX_NAME) {
        ("", _) => Err("the declaration has no name; write # platform: param NAME TYPE DEFAULT DESCRIPTION".to_owned()),
        (_, true) => Ok(()),
        (_, false) => Err(format!("the name {} is not valid; it must be {ALLOWED}", shown(name))),
    }
}

/// Whether a name may contain this byte.
pub(super) const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn problem(place: Place, what: impl Into<String>) -> Problem {
    Problem { place, path: String::new(), what: what.into() }
}
