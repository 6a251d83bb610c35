use proptest::prelude::*;

use super::*;

const CLAIM: &str = "01h455vb4pex5vsknk084sn02q";
const TICKET: &str = "7zzzzzzzzzzzzzzzzzzzzzzzzz";

fn rewritten(text: Text, whole: &str, pieces: impl IntoIterator<Item = usize>) -> String {
    let mut rewriter = Rewriter::new(text, CLAIM, TICKET);
    let (mut rest, mut out) = (whole.as_bytes(), Vec::new());
    for length in pieces {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        out.extend(rewriter.push(piece));
        rest = after;
    }
    out.extend(rewriter.push(rest));
    out.extend(rewriter.finish());
    String::from_utf8(out).unwrap()
}

/// A page as dufs writes it, of a folder with this name; `at` stands for the claim or the ticket.
fn page(at: &str, name: &str) -> String {
    let data = format!(
        r#"{{"href":"/{name}","kind":"Index","uri_prefix":"/files/{at}/","paths":[{{"name":"x/files/{CLAIM}/{name}"}}]}}"#
    );
    let assets = format!("/files/{at}/__dufs_v0.47.0__/");
    format!(
        "<!DOCTYPE html><link rel=\"icon\" href=\"{assets}favicon.ico\"><template id=\"index-data\">{}</template>\n<script src=\"{assets}index.js\"></script>",
        STANDARD.encode(data)
    )
}

#[test]
fn a_page_names_the_ticket_in_its_links_and_in_its_data() {
    let out = rewritten(Text::Page, &page(CLAIM, "a"), []);
    assert_eq!(out, page(TICKET, "a"));
    assert_eq!(out.len(), page(CLAIM, "a").len());
}

#[test]
fn answers_of_webdav_name_the_ticket() {
    let xml =
        format!("<D:response>\n<D:href>/files/{CLAIM}/a%20b</D:href><D:displayname>/files/{CLAIM}/</D:displayname>");
    let expected =
        format!("<D:response>\n<D:href>/files/{TICKET}/a%20b</D:href><D:displayname>/files/{CLAIM}/</D:displayname>");
    assert_eq!(rewritten(Text::Xml, &xml, []), expected);
}

#[test]
fn a_list_in_json_names_the_ticket() {
    let json = format!("{{\n  \"href\": \"/\",\n  \"uri_prefix\": \"/files/{CLAIM}/\"\n}}");
    assert_eq!(rewritten(Text::Json, &json, []), json.replace(CLAIM, TICKET));
}

#[test]
fn what_is_no_page_of_a_file_server_stays_as_it_is() {
    for text in [
        "",
        "<template id=\"index-data\">",
        "<template id=\"index-data\">%%%</template>",
        "<template id=\"index-data\">QUJD",
        "<template id=\"index-data\">QUI",
    ] {
        assert_eq!(rewritten(Text::Page, text, []), text, "{text}");
    }
}

proptest! {
    #[test]
    fn it_does_not_matter_in_which_pieces_a_page_comes(name in "[a-zäé/\" ]{0,20}", pieces in prop::collection::vec(0_usize..40, 0..60)) {
        let name = name.replace('"', "\\\"");
        prop_assert_eq!(rewritten(Text::Page, &page(CLAIM, &name), pieces), page(TICKET, &name));
    }

    #[test]
    fn it_does_not_matter_in_which_pieces_an_answer_of_webdav_comes(pieces in prop::collection::vec(0_usize..30, 0..40)) {
        let xml = format!("<D:href>/files/{CLAIM}/</D:href><D:href><D:href>/files/{CLAIM}/a").repeat(4);
        prop_assert_eq!(rewritten(Text::Xml, &xml, pieces), xml.replace(CLAIM, TICKET));
    }

    #[test]
    fn the_length_never_changes(text in ".{0,200}", pieces in prop::collection::vec(0_usize..30, 0..10)) {
        for kind in [Text::Json, Text::Xml] {
            prop_assert_eq!(rewritten(kind, &text, pieces.clone()).len(), text.len());
        }
    }
}
