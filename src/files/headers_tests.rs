use http::{Request, Response};

use super::*;

const CLAIM: &str = "01h455vb4pex5vsknk084sn02q";
const TICKET: &str = "7zzzzzzzzzzzzzzzzzzzzzzzzz";

fn names(rest: &str) -> Names {
    let (ticket, _) = Ticket::of_path(&format!("/files/{TICKET}/")).unwrap();
    Names {
        ticket,
        claim: CLAIM.to_owned(),
        rest: rest.to_owned(),
        query: None,
        host: Some("files.example.com:8443".parse().unwrap()),
        writes: true,
    }
}

fn headers(of: &[(&str, &str)]) -> HeaderMap {
    of.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
}

fn answer(status: u16, of: &[(&str, &str)]) -> Answer {
    let mut response = Response::builder().status(status).body(()).unwrap();
    *response.headers_mut() = headers(of);
    response.into_parts().0
}

const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");
const INLINE: (&str, &str) = ("content-disposition", "inline; filename=\"evil.html\"");

#[test]
fn a_file_server_gets_neither_credentials_nor_who_the_client_is() {
    let given = headers(&[
        ("authorization", "Bearer secret"),
        ("cookie", "a=b"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-prefix", "/x"),
        ("forwarded", "for=1.2.3.4"),
        ("origin", "https://example.com"),
        ("referer", "https://example.com/files/secret"),
        ("connection", "keep-alive, range"),
        ("expect", "100-continue"),
        ("transfer-encoding", "chunked"),
        ("range", "bytes=0-1"),
        ("depth", "1"),
    ]);
    let (target, passed) = names("/a%20b").to_pod(&given).unwrap();
    assert_eq!(target.path(), format!("/files/{CLAIM}/a%20b"));
    let mut passed: Vec<String> =
        passed.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    passed.sort();
    assert_eq!(passed, ["depth: 1", "host: files", "range: bytes=0-1"]);
}

#[test]
fn a_copy_stays_in_its_session() {
    let to = |destination: &str| {
        let passed = names("/a").to_pod(&headers(&[("destination", destination)]));
        passed.map(|(_, passed)| passed["destination"].to_str().unwrap().to_owned()).ok()
    };
    let here = Some(format!("/files/{CLAIM}/b"));
    assert_eq!(to(&format!("https://files.example.com:8443/files/{TICKET}/b")), here);
    assert_eq!(to(&format!("/files/{TICKET}/b")), here);
    for elsewhere in [
        "/files/01h455vb4pex5vsknk084sn02r/b".to_owned(),
        format!("/files/{CLAIM}/b"),
        format!("/files/{TICKET}/../b"),
        format!("/files/{TICKET}/%2e%2e/b"),
        format!("/files/{TICKET}/"),
        format!("/files/{TICKET}"),
        "/b".to_owned(),
        "b".to_owned(),
    ] {
        assert_eq!(to(&elsewhere), None, "{elsewhere}");
    }
}

#[test]
fn a_page_may_run_its_own_script_and_nothing_else() {
    let names = names("/");
    let page = answer(200, &[HTML]);
    assert_eq!(names.kind(&Method::GET, &page), Kind::Page);
    let assets = Assets::of(format!("<link href=\"/files/{CLAIM}/__dufs_v0.47.0__/favicon.ico\">").as_bytes(), CLAIM);
    let told = names.for_client(&page, Kind::Page, assets.as_ref());
    insta::assert_snapshot!(told["content-security-policy"].to_str().unwrap(), @"sandbox allow-scripts allow-same-origin allow-forms allow-downloads allow-modals allow-popups; default-src 'none'; script-src files.example.com:8443/files/7zzzzzzzzzzzzzzzzzzzzzzzzz/__dufs_v0.47.0__/index.js; script-src-attr 'unsafe-inline'; style-src files.example.com:8443/files/7zzzzzzzzzzzzzzzzzzzzzzzzz/__dufs_v0.47.0__/index.css; img-src files.example.com:8443/files/7zzzzzzzzzzzzzzzzzzzzzzzzz/ data:; media-src files.example.com:8443/files/7zzzzzzzzzzzzzzzzzzzzzzzzz/; connect-src files.example.com:8443/files/7zzzzzzzzzzzzzzzzzzzzzzzzz/; frame-src files.example.com:8443/files/7zzzzzzzzzzzzzzzzzzzzzzzzz/; form-action files.example.com:8443/files/7zzzzzzzzzzzzzzzzzzzzzzzzz/; base-uri 'none'; frame-ancestors 'self'");
}

#[test]
fn a_page_without_a_known_script_runs_none() {
    let told = names("/").for_client(&answer(200, &[HTML]), Kind::Page, None);
    assert!(told["content-security-policy"].to_str().unwrap().contains("script-src 'none';"));
}

/// dufs serves the file `evil.html` for `evil.html/` as well, and anything in a folder that looks like its own.
#[test]
fn a_file_is_never_taken_for_a_page_whatever_its_path() {
    for rest in ["/evil.html", "/evil.html/", "/", "/__dufs_v0.47.0__/index.js", "/x/__dufs_v0.47.0__/index.js"] {
        for status in [200, 206] {
            assert_eq!(names(rest).kind(&Method::GET, &answer(status, &[HTML, INLINE])), Kind::File, "{rest}");
        }
    }
    let told = names("/evil.html").for_client(&answer(200, &[HTML, INLINE]), Kind::File, None);
    insta::assert_snapshot!(told["content-security-policy"].to_str().unwrap(), @"sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'");
    assert_eq!(told["x-content-type-options"], "nosniff");
    assert_eq!(told["cache-control"], "private, no-store");
}

#[test]
fn only_known_headers_come_back() {
    let told = names("/a").for_client(
        &answer(
            200,
            &[
                ("set-cookie", "a=b"),
                ("www-authenticate", "Basic"),
                ("access-control-allow-origin", "*"),
                ("connection", "close"),
                ("transfer-encoding", "chunked"),
                ("etag", "\"1\""),
                ("location", &format!("/files/{CLAIM}/b")),
            ],
        ),
        Kind::File,
        None,
    );
    for gone in ["set-cookie", "www-authenticate", "access-control-allow-origin", "connection", "transfer-encoding"] {
        assert!(!told.contains_key(gone), "{gone}");
    }
    assert_eq!(told["etag"], "\"1\"");
    assert_eq!(told["location"], format!("/files/{TICKET}/b").as_str());
}

#[test]
fn the_assets_of_a_page_are_known_by_their_folder() {
    for asset in ["/__dufs_v0.47.0__/index.js", "/__dufs_v1.0.0-rc.1__/favicon.ico"] {
        assert_eq!(
            names(asset).kind(&Method::GET, &answer(200, &[("content-type", "application/javascript")])),
            Kind::Asset
        );
    }
    for other in
        ["/__dufs_v0.47.0__/a.txt", "/__dufs_v0.47.0__/a b.js", "/a/__dufs_v0.47.0__/index.js", "/__dufs_v__/index.js"]
    {
        assert_eq!(
            names(other).kind(&Method::GET, &answer(200, &[("content-type", "application/javascript")])),
            Kind::Plain,
            "{other}"
        );
    }
}

#[test]
fn the_host_is_the_one_that_was_asked() {
    let of = |request: Request<()>| host(&request.into_parts().0).map(|host| host.to_string());
    assert_eq!(of(Request::get("/").header("host", "a.example:80").body(()).unwrap()).as_deref(), Some("a.example:80"));
    assert_eq!(of(Request::get("https://b.example/").body(()).unwrap()).as_deref(), Some("b.example"));
    assert_eq!(of(Request::get("/").header("host", "a; script-src *").body(()).unwrap()), None);
}

#[test]
fn a_page_names_its_script_and_its_style() {
    let page = format!(
        "<title>/__dufs_v9__/</title><link href=\"/files/{CLAIM}/__dufs_v0.47.0__/page.css\"><script src=\"/files/{CLAIM}/__dufs_v0.47.0__/page.js\">"
    );
    let assets = Assets::of(page.as_bytes(), CLAIM).unwrap();
    assert_eq!((&*assets.folder, &*assets.script, &*assets.style), ("__dufs_v0.47.0__", "page.js", "page.css"));
    for none in ["", &format!("<a href=\"/files/{CLAIM}/__dufs_v; script-src *__/a.js\">"), "__dufs_v0.47.0__/a.js"] {
        assert_eq!(Assets::of(none.as_bytes(), CLAIM), None, "{none}");
    }
}
