//! The one thing that is asked of a running QEMU over its control socket (QMP): press the
//! machine's power button.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Presses the power button; the guest decides what to do about it.
pub(super) fn power_button(socket: &Path) -> Result<()> {
    execute(socket, "system_powerdown")
}

fn execute(socket: &Path, command: &str) -> Result<()> {
    let stream = UnixStream::connect(socket)
        .with_context(|| format!("connecting to {}", socket.display()))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut lines = BufReader::new(&stream).lines();
    for name in ["qmp_capabilities", command] {
        writeln!(&stream, "{}", serde_json::json!({ "execute": name }))
            .context("writing to QMP")?;
        // The greeting and events come between the answers.
        loop {
            let line = lines
                .next()
                .context("QMP closed the connection")?
                .context("reading from QMP")?;
            let answer: serde_json::Value =
                serde_json::from_str(&line).context("parsing a QMP answer")?;
            if let Some(error) = answer.get("error") {
                bail!("QMP refused {name}: {error}");
            }
            if answer.get("return").is_some() {
                break;
            }
        }
    }
    Ok(())
}
