//! `cargo xtask record`: the recording in the README. It runs the program on a terminal, 200 tenants are migrated and a migration is
//! refused, and draws what the terminal showed as an animated SVG.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// The recording.
const FILE: &str = "docs/images/recording.svg";

const ROWS: u16 = 24;
const COLUMNS: u16 = 100;

/// The shortest time of a frame, in seconds.
const FRAME: f64 = 0.1;

/// How long the last frame is shown, in seconds.
const END: f64 = 8.0;

/// Prepares a project with 200 tenants that have rows.
const PREPARE: &str = "
set -eu
tenure init --quiet >/dev/null
tenure migrate up --quiet >/dev/null
{ echo slug; seq -f 'tenant_%03g' 200; } | tenure tenant create --from - --quiet >/dev/null
tenure dev psql -qc \"DO \\$\\$ DECLARE s text; BEGIN
  FOR s IN SELECT schema_name FROM datalinx_platform.tenant_version LOOP
    EXECUTE format('INSERT INTO %I.workspaces (name, description) SELECT ''Workspace '' || n, repeat(''text '', 20) FROM generate_series(1, 2500) n', s);
  END LOOP; END \\$\\$\" >/dev/null
cat >migrations/v1.0.0_to_v1.1.0_search.sql <<'SQL'
-- Migration: v1.0.0 to v1.1.0
-- Description: Full-text search of workspaces
-- Allow: index-locks-writes workspaces because a tenant has at most a few thousand rows
CREATE INDEX workspaces_search ON workspaces
    USING gin (to_tsvector('english', name || ' ' || coalesce(description, '')));
SQL
";

/// The session that is recorded.
const SESSION: &str = "
stty cols 100 rows 24
type_it() { printf '\\033[1;32m$\\033[0m '; sleep 0.4; printf '%s\\n' \"$1\"; sleep 0.3; }
type_it 'tenure migrate up'
tenure migrate up
sleep 1.5
type_it 'cat migrations/v1.1.0_to_v1.2.0_tidy.sql'
cat >migrations/v1.1.0_to_v1.2.0_tidy.sql <<'SQL'
-- Migration: v1.1.0 to v1.2.0
-- Description: Remove an old column
ALTER TABLE workspaces DROP COLUMN description;
SQL
cat migrations/v1.1.0_to_v1.2.0_tidy.sql
sleep 1
type_it 'tenure migrate up'
tenure migrate up
sleep 0.5
";

/// Records the session with the program in `folder_of_program`, and writes the SVG.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    let said = |error: std::io::Error| error.to_string();
    let project = std::env::temp_dir().join(format!("tenure-recording-{}", std::process::id()));
    std::fs::create_dir_all(&project).map_err(said)?;
    let program = root.join("target/debug").canonicalize().map_err(said)?;
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let shell = |script: &str, program: &[&str]| {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).arg(script).current_dir(&project).env("PATH", &path);
        command.env_remove("DATABASE_URL").env_remove("CI").env("TERM", "xterm-256color");
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{}: {status}", program[0])),
            Err(error) => Err(format!("{}: {error}", program[0])),
        }
    };
    let recorded = shell(PREPARE, &["bash", "-c"]).and_then(|()| {
        std::fs::write(project.join("session.sh"), SESSION).map_err(said)?;
        let options =
            ["script", "--quiet", "--flush", "--log-out", "out", "--log-timing", "timing", "--command"];
        shell("bash session.sh", &options)?;
        let output = std::fs::read(project.join("out")).map_err(said)?;
        Ok((output, std::fs::read_to_string(project.join("timing")).map_err(said)?))
    });
    let _stopped = shell("tenure dev reset --yes --quiet", &["bash", "-c"]);
    let _removed = std::fs::remove_dir_all(&project);
    let (output, timing) = recorded?;
    std::fs::write(root.join(FILE), draw(&frames(&output, &timing)?))
        .map_err(|error| format!("{FILE}: {error}"))
}

/// A picture of the terminal, shown from this time on, in seconds.
struct Frame {
    at: f64,
    svg: String,
}

fn frames(output: &[u8], timing: &str) -> Result<Vec<Frame>, String> {
    // The first line of the log is a header.
    let start = output.iter().position(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let mut rest = &output[start..];
    let mut terminal = vt100::Parser::new(ROWS, COLUMNS, 0);
    let (mut at, mut frames) = (0.0, Vec::<Frame>::new());
    for line in timing.lines() {
        let mut words = line.split_whitespace();
        let pause = words.next().and_then(|word| word.parse::<f64>().ok());
        let bytes = words.next().and_then(|word| word.parse::<usize>().ok());
        let (Some(pause), Some(bytes)) = (pause, bytes) else { return Err(format!("odd timing {line:?}")) };
        at += pause;
        let (now, later) = rest.split_at(bytes.min(rest.len()));
        terminal.process(now);
        rest = later;
        let svg = screen(terminal.screen());
        match frames.last_mut() {
            Some(last) if last.svg == svg => {}
            // Too short to be seen.
            Some(last) if at - last.at < FRAME => last.svg = svg,
            _ => frames.push(Frame { at, svg }),
        }
    }
    Ok(frames)
}

/// The text of the screen.
fn screen(screen: &vt100::Screen) -> String {
    let mut svg = String::new();
    for row in 0..ROWS {
        let mut spans: Vec<(String, String)> = Vec::new();
        for column in 0..COLUMNS {
            let Some(cell) = screen.cell(row, column) else { continue };
            let class = class(cell);
            let text = if cell.has_contents() { cell.contents() } else { " " };
            match spans.last_mut() {
                Some((last, line)) if *last == class => line.push_str(text),
                _ => spans.push((class, text.to_owned())),
            }
        }
        if spans.iter().all(|(_, text)| text.trim().is_empty()) {
            continue;
        }
        let _ = write!(svg, "<text y=\"{}\">", 34 + usize::from(row) * 18);
        for (class, text) in spans {
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            if class.is_empty() {
                svg.push_str(&text);
            } else {
                let _ = write!(svg, "<tspan class=\"{class}\">{text}</tspan>");
            }
        }
        svg.push_str("</text>");
    }
    svg
}

fn class(cell: &vt100::Cell) -> String {
    let mut classes = Vec::new();
    if let vt100::Color::Idx(number) = cell.fgcolor() {
        classes.push(format!("c{}", number % 8));
    }
    if cell.bold() {
        classes.push("b".to_owned());
    }
    if cell.dim() {
        classes.push("d".to_owned());
    }
    classes.join(" ")
}

fn draw(frames: &[Frame]) -> String {
    let length = frames.last().map_or(0.0, |frame| frame.at) + END;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 470\" role=\"img\">\n\
         <title>tenure migrate up migrates 200 tenants; a migration that drops a column is refused</title>\n\
         <style>rect {{ fill: #0d1117 }} text {{ fill: #e6edf3; font: 14px ui-monospace, monospace; white-space: pre }} \
         .b {{ font-weight: bold }} .d {{ opacity: 0.65 }} .c1 {{ fill: #ff7b72 }} .c2 {{ fill: #3fb950 }} .c3 {{ fill: #d29922 }} \
         .c4 {{ fill: #79c0ff }} .c5 {{ fill: #d2a8ff }} .c6 {{ fill: #76e3ea }} \
         g {{ visibility: hidden; animation: {length:.2}s step-end infinite }}\n"
    );
    for (number, frame) in frames.iter().enumerate() {
        let from = 100.0 * frame.at / length;
        let to = frames.get(number + 1).map_or(100.0, |next| 100.0 * next.at / length);
        let _ = writeln!(
            svg,
            "@keyframes f{number} {{ 0% {{ visibility: hidden }} {from:.2}% {{ visibility: visible }} {to:.2}% {{ visibility: hidden }} }} \
             .f{number} {{ animation-name: f{number} }}"
        );
    }
    // Without animations, the end is shown.
    let last = frames.len().saturating_sub(1);
    let _ = writeln!(
        svg,
        "@media (prefers-reduced-motion: reduce) {{ g {{ animation: none }} .f{last} {{ visibility: visible }} }}</style>"
    );
    svg.push_str("<rect width=\"860\" height=\"470\" rx=\"8\"/>\n");
    for (number, frame) in frames.iter().enumerate() {
        let _ = writeln!(svg, "<g class=\"f{number}\" transform=\"translate(12 0)\">{}</g>", frame.svg);
    }
    svg.push_str("</svg>\n");
    svg
}
