//! The csv document: a header line, then a row per record, each line closed by a comma.
//!
//! A list is one quoted cell with a comma after every element: `"VM Network,Management Network,"`.
//! Columns move when a release adds a field, so cells are found by header name only.

use super::{Record, Trouble, Value, machine_name};

struct Cell {
    text: String,
    quoted: bool,
}

struct Row {
    line: usize,
    cells: Vec<Cell>,
}

pub(super) fn parse(text: &str) -> Result<Value, Trouble> {
    let mut rows = read_rows(text)?.into_iter();
    let Some(header) = rows.next() else {
        return Ok(Value::List(Vec::new()));
    };
    let names: Vec<String> = header.cells.iter().map(|cell| machine_name(&cell.text)).collect();
    if names.iter().any(String::is_empty) {
        return Err(Trouble::at(header.line, "a column of the header has no name"));
    }
    let mut records = Vec::new();
    for row in rows {
        if row.cells.len() != names.len() {
            let problem = format!("{} columns, but the header has {}", row.cells.len(), names.len());
            return Err(Trouble::at(row.line, problem));
        }
        let record: Record = names.iter().cloned().zip(row.cells.into_iter().map(cell_value)).collect();
        records.push(Value::Record(record));
    }
    Ok(Value::List(records))
}

fn cell_value(cell: Cell) -> Value {
    if cell.quoted && cell.text.ends_with(',') {
        let elements = cell.text.split(',').map(str::trim).filter(|e| !e.is_empty());
        return Value::List(elements.map(|e| Value::Str(e.to_owned())).collect());
    }
    Value::Str(cell.text)
}

/// Splits into rows of cells; the empty cell after the closing comma is dropped.
fn read_rows(text: &str) -> Result<Vec<Row>, Trouble> {
    let mut rows = Vec::new();
    let mut row = Row { line: 1, cells: Vec::new() };
    let mut cell = Cell { text: String::new(), quoted: false };
    let mut in_quotes = false;
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        }
        match c {
            '"' if in_quotes && chars.peek() == Some(&'"') => {
                chars.next();
                cell.text.push('"');
            }
            '"' if in_quotes => in_quotes = false,
            '"' if cell.text.is_empty() => {
                in_quotes = true;
                cell.quoted = true;
            }
            ',' if !in_quotes => row.cells.push(take(&mut cell)),
            '\n' if !in_quotes => {
                finish(&mut rows, &mut row, &mut cell);
                row.line = line;
            }
            '\r' if !in_quotes && matches!(chars.peek(), Some('\n') | None) => {}
            other => cell.text.push(other),
        }
    }
    if in_quotes {
        return Err(Trouble::at(row.line, "a quoted cell is not closed"));
    }
    finish(&mut rows, &mut row, &mut cell);
    Ok(rows)
}

fn take(cell: &mut Cell) -> Cell {
    std::mem::replace(cell, Cell { text: String::new(), quoted: false })
}

fn finish(rows: &mut Vec<Row>, row: &mut Row, cell: &mut Cell) {
    let last = take(cell);
    let after_comma = !row.cells.is_empty() && last.text.trim().is_empty() && !last.quoted;
    let blank_line = row.cells.is_empty() && last.text.trim().is_empty() && !last.quoted;
    if !after_comma && !blank_line {
        row.cells.push(last);
    }
    if !row.cells.is_empty() {
        rows.push(Row { line: row.line, cells: std::mem::take(&mut row.cells) });
    }
}
