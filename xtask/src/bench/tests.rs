//! Reading figures and showing them.

use super::{Bench, figures, row};
use clap::ValueEnum;

#[test]
fn figures_are_read_line_by_line_and_anything_else_is_refused() {
    let read = figures("{\"figure\":\"a\",\"value\":1.5}\n{\"figure\":\"b\",\"value\":2}\n").unwrap();
    assert_eq!(read.len(), 2);
    assert!(figures("warming up\n").unwrap_err().to_string().contains("warming up"));
    assert!(figures("{\"figure\":\"a\"}\n").is_err());
}

#[test]
fn a_row_tells_whether_the_promise_is_kept() {
    let line = |met: bool| serde_json::json!({"figure": "plan_one_host", "value": 190.5, "unit": "us", "target": 200.0, "met": met});
    assert!(row(&line(true)).ends_with("<= 200  ok"));
    assert!(row(&line(false)).ends_with("MISSED"));
}

#[test]
fn scenarios_are_named_as_the_bench_program_names_them() {
    let names: Vec<String> = Bench::value_variants().iter().map(|bench| bench.name()).collect();
    assert_eq!(names, ["plan", "observe", "proof", "apply_calls", "agent", "demo"]);
}
