//! The page as a browser gets it.

use crate::support::{Ask, Setup, open};

#[tokio::test]
async fn the_page_comes_with_its_headers() {
    let doors = open(Setup::default());
    let page = Ask::new("GET /").send(doors.address).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    for device in ["camera=(self)", "microphone=(self)", "display-capture=(self)"] {
        assert!(page.header("permissions-policy").unwrap().contains(device));
    }
    assert!(page.text().contains("type=\"module\""));
    let inline =
        page.text().split("<script").skip(1).any(|tag| !tag.split('>').next().unwrap().contains("src="));
    assert!(!inline, "an inline script would be refused by our own policy");
}

#[tokio::test]
async fn an_unchanged_file_is_not_sent_again() {
    let doors = open(Setup::default());
    let first = Ask::new("GET /main.js").send(doors.address).await;
    assert_eq!(first.header("content-type"), Some("text/javascript; charset=utf-8"));
    let etag = first.header("etag").unwrap();
    let second =
        Ask { headers: &[("If-None-Match", etag)], ..Ask::new("GET /main.js") }.send(doors.address).await;
    assert_eq!((second.status, second.body.len()), (304, 0));
    let other = Ask { headers: &[("If-None-Match", "\"other\"")], ..Ask::new("GET /main.js") }
        .send(doors.address)
        .await;
    assert_eq!(other.status, 200);
}

/// Follows what the page and its modules name, so that no file is missing from the binary.
#[tokio::test]
async fn every_file_that_the_page_names_is_there() {
    let doors = open(Setup::default());
    let (mut open_list, mut seen) = (vec!["/".to_owned()], std::collections::BTreeSet::new());
    while let Some(path) = open_list.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let reply = Ask::new(&format!("GET {path}")).send(doors.address).await;
        assert_eq!(reply.status, 200, "{path}");
        let Ok(text) = std::str::from_utf8(&reply.body) else { continue };
        open_list.extend(named(&path, text));
    }
    assert!(seen.len() > 10, "{seen:?}");
}

/// Relative addresses in quotes that end in a file type of the page.
fn named(base: &str, text: &str) -> Vec<String> {
    let directory = base.rsplit_once('/').map_or("", |(directory, _)| directory);
    let quoted = text.split(['"', '\'']);
    let files = quoted.filter(|word| {
        [".js", ".css", ".svg"].iter().any(|end| word.split('#').next().unwrap_or_default().ends_with(end))
    });
    files
        .filter(|word| !word.contains([' ', '\n', '$', ':']))
        .map(|word| resolve(directory, word.split('#').next().unwrap_or_default()))
        .collect()
}

fn resolve(directory: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = if relative.starts_with('/') {
        Vec::new()
    } else {
        directory.split('/').filter(|part| !part.is_empty()).collect()
    };
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
