//! Lines to and fro.

use super::*;

#[test]
fn a_line_reads_as_it_was_written_and_nothing_else_does() {
    for said in
        [Said::Alive, Said::Open(Uptime(0)), Said::Open(Uptime(u64::MAX)), Said::Rolling, Said::Closed]
    {
        assert_eq!(Said::read(said.line().as_bytes()), Some(said));
        assert!(said.line().len() <= usize::try_from(LINE_BYTES_MAX).unwrap());
    }
    for wrong in ["", "\n", "alive", "open\n", "open x\n", "open -1\n", "alive \n", "open 1 2\n", "Alive\n"] {
        assert_eq!(Said::read(wrong.as_bytes()), None, "{wrong:?}");
    }
    assert_eq!(Said::read(b"\xff\n"), None);
}
