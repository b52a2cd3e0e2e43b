//! Text of strangers stays text.

use crate::review::render::{code_span, fenced, inline};

#[test]
fn markdown_and_html_lose_their_meaning() {
    for (text, expected) in [
        ("plain, words: 'a' \"b\"/c?", "plain, words: 'a' \"b\"/c?"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("`code` *b* _i_ [l](u)", "\\`code\\` \\*b\\* \\_i\\_ \\[l\\]\\(u\\)"),
        ("a|b\\c", "a\\|b\\\\c"),
        ("two\nlines\r\tand\u{0}more", "two lines  and more"),
    ] {
        assert_eq!(inline(text), expected);
    }
}

#[test]
fn nobody_is_called_and_nothing_is_referred_to() {
    for (text, broken) in [
        ("@team", "\\@\u{200b}team"),
        ("see #12", "see \\#\u{200b}12"),
        ("!7 ~bug %v1 $3", "\\!\u{200b}7 \\~\u{200b}bug \\%\u{200b}v1 \\$\u{200b}3"),
        ("&5", "&amp;\u{200b}5"),
        ("https://evil.example", "https:\u{200b}//evil\\.example"),
        ("www.evil.example", "www\u{200b}\\.evil\\.example"),
    ] {
        assert_eq!(inline(text), broken);
    }
}

#[test]
fn reordering_and_hiding_characters_are_shown() {
    assert_eq!(inline("a\u{202e}b\u{2066}c\u{feff}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
    assert_eq!(code_span("x\u{2028}y"), "` x\u{fffd}y `");
}

#[test]
fn code_cannot_be_left() {
    assert_eq!(code_span("a``b|c"), "``` a``b\\|c ```");
    let block = fenced(["esxcli x", "````", "--name 'a\n/merge'"].into_iter());
    let lines: Vec<&str> = block.lines().collect();
    assert_eq!(lines, ["`````text", "esxcli x", "````", "--name 'a /merge'", "`````"]);
}
