//! What is said to people. Results go to stdout, everything else to stderr. A reader that went
//! away, or a full disk, is no reason to panic: what is said on the way is lost, and an answer
//! that could not be given is a harness that failed.

use std::io::{self, Write};

use crate::run::verdict::{Answer, HARNESS_FAILED};

/// Says something on the way; whether anybody hears it does not matter.
pub(super) fn remark(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Shows something on the way to the answer, on stdout.
pub(super) fn show(text: &str) {
    let _ = write_all(&mut io::stdout().lock(), text);
}

/// Gives the answer, and the exit code: `code` if it was heard.
pub(super) fn answer(text: &str, code: u8) -> u8 {
    answer_to(&mut io::stdout().lock(), text, code)
}

fn answer_to(out: &mut impl Write, text: &str, code: u8) -> u8 {
    match write_all(out, text) {
        Ok(()) => code,
        Err(error) => {
            remark(&format!("antipaxos: cannot write the results: {error}"));
            // Something wrong was found all the same.
            if code == Answer::Invalid.code() { code } else { HARNESS_FAILED }
        }
    }
}

fn write_all(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever reads has gone.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_answer_that_nobody_could_hear_is_a_failure_of_the_harness() {
        let mut heard = Vec::new();
        assert_eq!(answer_to(&mut heard, "verdict: valid (exit 0)\n", 0), 0);
        assert_eq!(heard, b"verdict: valid (exit 0)\n");
        for (code, exit) in [(0, HARNESS_FAILED), (2, HARNESS_FAILED), (1, 1)] {
            assert_eq!(answer_to(&mut Gone, "verdict", code), exit);
        }
    }
}
