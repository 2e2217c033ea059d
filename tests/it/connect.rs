//! Which cluster the commands talk to: `KUBECONFIG` is read as kubectl reads it, and the flag wins.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("serin-connect-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What `serin status` says on standard error; no cluster is there, so it always ends with 1.
fn status(home: &Path, variable: &str, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_serin"))
        .arg("status")
        .args(arguments)
        .env("HOME", home)
        .env("KUBECONFIG", variable)
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    told
}

const CONTEXT: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
                       contexts: [{name: a, context: {cluster: c, user: u}}]\n";
const CLUSTER: &str = "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n\
                       users: [{name: u, user: {token: t}}]\n";

/// Both in one file.
fn whole() -> String {
    let cluster = CLUSTER.replace("apiVersion: v1\nkind: Config\n", "");
    format!("{CONTEXT}{cluster}")
}

#[test]
fn the_files_of_kubeconfig_are_merged() {
    let folder = Folder::new();
    let (one, two) = (folder.write("a", CONTEXT), folder.write("b", CLUSTER));
    let both = std::env::join_paths([&one, &two]).unwrap();
    let told = status(&folder.0, both.to_str().unwrap(), &[]);
    assert!(told.contains("cannot list Rollouts"), "{told}");
    // The flag wins over the variable.
    let whole = folder.write("c", &whole());
    let flag = ["--kubeconfig", whole.to_str().unwrap()];
    let told = status(&folder.0, "/does/not/exist", &flag);
    assert!(told.contains("cannot list Rollouts"), "{told}");
}

#[test]
fn an_empty_kubeconfig_is_none() {
    let folder = Folder::new();
    let told = status(&folder.0, "", &[]);
    assert!(!told.contains("a value is required"), "{told}");
}

#[test]
fn without_a_kubeconfig_one_line_says_what_to_do() {
    let folder = Folder::new();
    let home = folder.0.join(".kube/config");
    for (variable, flags, missing) in [
        ("", vec![], home.to_str().unwrap()),
        ("/does/not/exist:/nor/this", vec![], "/does/not/exist, /nor/this"),
        ("", vec!["--kubeconfig", "/does/not/exist"], "/does/not/exist"),
    ] {
        let told = status(&folder.0, variable, &flags);
        let wanted = format!(
            "error: there is no cluster to talk to: {missing} is not there; hint: name a kubeconfig with --kubeconfig or in \
             KUBECONFIG\n"
        );
        assert_eq!(told, wanted);
    }
}

#[test]
fn what_is_wrong_with_the_cluster_or_its_kubeconfig_is_told_in_one_line() {
    let folder = Folder::new();
    let whole = whole();
    let unknown = whole.replace("127.0.0.1", "nowhere.invalid");
    let connect = "error: cannot connect to the API server: the kubeconfig ";
    for (text, told, hint) in [
        (
            whole.as_str(),
            "error: cannot read Rollout `shop`: the API server cannot be reached: nothing listens at its address and port",
            "server address in the kubeconfig",
        ),
        (
            &unknown,
            "error: cannot read Rollout `shop`: the API server cannot be reached: its host name is unknown to DNS",
            "server address in the kubeconfig",
        ),
        (
            "apiVersion: [v1\nusers: {token: SECRET",
            "cannot be understood at line 1 column 13: it is no YAML, or not that of a kubeconfig",
            "correct the kubeconfig",
        ),
        (
            "apiVersion: v1\nkind: Config\n",
            "has no current context",
            "--context",
        ),
        (
            CONTEXT,
            "has no cluster `c`, which the context names",
            "correct the kubeconfig",
        ),
    ] {
        let file = folder.write("config", text);
        let (file, begin) = (
            file.to_str().unwrap(),
            if told.starts_with("error") { "" } else { connect },
        );
        for (variable, flags) in [("", vec!["shop", "--kubeconfig", file]), (file, vec!["shop"])] {
            let said = status(&folder.0, variable, &flags);
            assert!(
                said.starts_with(&format!("{begin}{told}; hint: ")) && said.contains(hint),
                "{said}"
            );
            assert!(
                said.trim_end().lines().count() == 1 && !said.contains("SECRET"),
                "{said}"
            );
        }
    }
}

/// To name the gate would help nobody: the operator needs the server for everything else.
#[test]
fn an_operator_without_an_api_server_is_told_to_check_its_address() {
    let folder = Folder::new();
    let file = folder.write("config", &whole());
    let output = Command::new(env!("CARGO_BIN_EXE_serin"))
        .args(["run", "--kubeconfig", file.to_str().unwrap()])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("nothing listens at its address and port; hint: ")
            && told.contains("server address in the kubeconfig")
            && !told.contains("--gate"),
        "{told}"
    );
}

#[test]
fn as_a_plugin_it_speaks_of_the_plugin() {
    let folder = Folder::new();
    let plugin = folder.0.join("kubectl-serin");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_serin"), &plugin).unwrap();
    let rollout = "apiVersion: serin.dev/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec: {workload: {name: a}, traffic: \
                   {gatewayAPI: {routes: [{name: a}]}}}\n";
    let file = folder.write("a.yaml", rollout);
    for (program, name) in [
        (plugin.as_path(), "kubectl serin"),
        (Path::new(env!("CARGO_BIN_EXE_serin")), "serin"),
    ] {
        let output = Command::new(program)
            .args(["explain", "--file"])
            .arg(&file)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(&format!("`{name} status` tells")), "{told}");
    }
}
