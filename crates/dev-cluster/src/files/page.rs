//! The page that shows what is in a folder.

use std::fmt::Write;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::Flags;
use super::tree::Entry;

/// Where the page's own files are, under the prefix; as with `dufs`, so that a proxy in front finds both in one place.
pub(super) const ASSETS: &str = "__dufs_v0.47.0__";

/// What stands in a path segment as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The style sheet.
pub(super) const STYLE: &str = "\
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #ddd; padding: .3rem .6rem; text-align: left; }
form { margin: 1rem 0; }
";

/// What the buttons do. Every name goes through `encodeURIComponent`, every answer is waited for.
pub(super) const SCRIPT: &str = r#"
const here = location.pathname.endsWith("/") ? location.pathname : location.pathname + "/";
const say = (text) => { document.getElementById("status").textContent = text; };
async function send(method, name, body) {
  const answer = await fetch(here + encodeURIComponent(name), { method, body });
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
}
async function run(work) {
  try { await work(); location.reload(); } catch (error) { say(error.message); }
}
document.getElementById("upload")?.addEventListener("submit", (event) => {
  event.preventDefault();
  run(async () => {
    for (const file of document.getElementById("files").files) {
      say(`Uploading ${file.name}`);
      await send("PUT", file.name, file);
    }
  });
});
document.getElementById("folder")?.addEventListener("submit", (event) => {
  event.preventDefault();
  run(() => send("MKCOL", document.getElementById("name").value));
});
for (const button of document.querySelectorAll("button[data-delete]")) {
  button.addEventListener("click", () => run(() => send("DELETE", button.dataset.delete)));
}
"#;

/// Writes the page of the folder at `path`, which is decoded and begins below the prefix.
pub(super) fn render(flags: &Flags, path: &str, mut entries: Vec<Entry>) -> String {
    entries.sort_by(|a, b| b.meta.is_folder.cmp(&a.meta.is_folder).then_with(|| a.name.cmp(&b.name)));
    let (title, assets) = (escape(path), format!("{}/{ASSETS}", flags.prefix));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Index of {title}</title>\n\
         <link rel=\"stylesheet\" href=\"{assets}/page.css\">\n<script src=\"{assets}/page.js\" defer></script>\n\
         </head>\n<body>\n<h1>Index of {title}</h1>\n"
    );
    if flags.upload {
        page.push_str(
            "<form id=\"upload\"><input id=\"files\" type=\"file\" multiple required aria-label=\"Files\"> \
             <button>Upload</button></form>\n\
             <form id=\"folder\"><input id=\"name\" required aria-label=\"Name of the folder\"> \
             <button>New folder</button></form>\n",
        );
    }
    page.push_str("<p id=\"status\" role=\"status\"></p>\n<table>\n<tr><th>Name<th>Size<th>Modified<th>\n");
    if path != "/" {
        page.push_str("<tr><td><a href=\"../\">..</a><td><td><td>\n");
    }
    for entry in &entries {
        // Writing to a string cannot fail.
        let _ = row(&mut page, flags, entry);
    }
    page.push_str("</table>\n</body>\n</html>\n");
    page
}

fn row(page: &mut String, flags: &Flags, entry: &Entry) -> std::fmt::Result {
    let slash = if entry.meta.is_folder { "/" } else { "" };
    let name = escape(&entry.name.to_string_lossy());
    let link = percent_encode(entry.name.as_encoded_bytes(), SEGMENT);
    let size = if entry.meta.is_folder { String::new() } else { entry.meta.size.to_string() };
    let modified = entry.meta.modified.map(day).unwrap_or_default();
    write!(page, "<tr><td><a href=\"./{link}{slash}\">{name}{slash}</a><td>{size}<td>{modified}<td>")?;
    if flags.delete {
        write!(page, "<button data-delete=\"{name}\">Delete</button>")?;
    }
    page.write_char('\n')
}

fn day(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
