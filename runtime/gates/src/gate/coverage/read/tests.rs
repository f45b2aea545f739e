use proptest::prelude::*;

use super::*;

/// File `src/a.py` with line 1 run, line 2 not.
fn lines(report: &str) -> Vec<(String, Vec<(u32, bool)>)> {
    let covered = read(report.as_bytes()).unwrap();
    let of = |lines: BTreeMap<u32, u64>| lines.into_iter().map(|(line, hits)| (line, hits > 0)).collect();
    covered
        .files
        .into_iter()
        .map(|(file, lines)| (file, of(lines)))
        .collect()
}

const LCOV: &str = "TN:\nSF:src/a.py\nFN:1,f\nBRDA:2,0,jump to line 3,1\nVER:1\nDA:1,1,abc\nDA:2,0\nLF:2\nLH:1\nend_of_record\n";
const COBERTURA: &str = r#"<?xml version="1.0" ?><!DOCTYPE coverage SYSTEM "x"><coverage line-rate="0.5"><sources><source>src</source></sources>
<packages><package name="."><classes><class name="a" filename="a.py"><methods/><lines><line number="1" hits="1"/><line number="2" hits="0"/></lines></class></classes></package></packages></coverage>"#;
const JACOCO: &str = r#"<?xml version="1.0"?><report name="x"><package name="src"><sourcefile name="a.py"><line nr="1" mi="0" ci="3"/><line nr="2" mi="2" ci="0"/></sourcefile></package></report>"#;
const COVERAGE_PY: &str =
    r#"{"meta":{"format":3},"files":{"src/a.py":{"executed_lines":[1],"missing_lines":[2]}}}"#;
const LLVM: &str = r#"{"data":[{"files":[{"filename":"src/a.py","segments":[[1,1,4,true,true,false],[2,1,0,true,true,false],[2,9,0,false,false,false]]}]}],"type":"llvm.coverage.json.export"}"#;
const GO: &str = "mode: set\nsrc/a.py:1.1,1.9 1 1\nsrc/a.py:2.1,2.9 1 0\n";
const ALL: [&str; 6] = [LCOV, COBERTURA, JACOCO, COVERAGE_PY, LLVM, GO];

#[test]
fn every_form_says_the_same() {
    for report in ALL {
        let expected = vec![("src/a.py".to_owned(), vec![(1, true), (2, false)])];
        assert_eq!(lines(report), expected, "{report}");
    }
}

#[test]
fn a_report_that_is_cut_off_says_nothing() {
    for report in [LCOV, COBERTURA, JACOCO, COVERAGE_PY, LLVM] {
        let cut = &report[..report.len() - 15];
        assert!(read(cut.as_bytes()).is_err(), "{cut}");
    }
    for other in ["", "covered: 100%", "<html></html>", "{}", "SF"] {
        assert!(read(other.as_bytes()).is_err(), "{other}");
    }
}

proptest! {
    #[test]
    fn p8_no_bytes_make_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..1000)) {
        let _ = read(&bytes);
    }

    #[test]
    fn p8_no_damage_makes_a_panic(which in 0_usize..6, at in any::<prop::sample::Index>(), with in "[0-9,:<>\"{}]{0,12}") {
        let mut text = ALL[which].to_owned();
        let at = text.floor_char_boundary(at.index(text.len()));
        text.insert_str(at, &with);
        let _ = read(text.as_bytes());
    }
}
