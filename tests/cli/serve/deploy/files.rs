//! Files that no test can run: what they say must at least be true of the server, and of the system that reads them.

use super::*;

#[test]
fn units_and_manifests_say_what_is_true() {
    if !is_asked_for(&[]) {
        return;
    }
    let python = match python("deploy-venv", &PACKAGES) {
        Ok(python) => python,
        Err(reason) => return say(&format!("SKIPPED: no Python with the packages: {reason}")),
    };
    let script = "\
import sys, yaml
deployment, service, scaler = yaml.safe_load_all(open(sys.argv[1]))
pod = deployment['spec']['template']['spec']
container, = pod['containers']
port = container['ports'][0]['containerPort']
sleep = container['lifecycle']['preStop']['sleep']['seconds']
assert port == 8080 and pod['terminationGracePeriodSeconds'] > 30 + sleep, pod
assert service['spec']['ports'][0]['targetPort'] == container['ports'][0]['name']
assert service['spec']['selector'] == deployment['spec']['template']['metadata']['labels']
assert scaler['spec']['scaleTargetRef']['name'] == deployment['metadata']['name']
for probe in ('startupProbe', 'readinessProbe', 'livenessProbe'):
    print(container[probe]['httpGet']['path'])
print(scaler['spec']['metrics'][0]['pods']['metric']['name'])
for variable in container['env']:
    print(variable['name'])
";
    let manifest = example("kubernetes.yaml");
    // The first version that has all of it switched on, and the newest with a schema when this was written.
    for version in ["1.30.0", "1.37.0"] {
        let mut validate = Command::new(python.with_file_name("kubernetes-validate"));
        validate.args(["--strict", "--kubernetes-version", version]).arg(&manifest);
        let validated = validate.output().expect("kubernetes-validate starts");
        let said = String::from_utf8_lossy(&validated.stdout);
        assert!(validated.status.success(), "{said}{}", String::from_utf8_lossy(&validated.stderr));
    }
    let output = Command::new(python).args(["-c", script]).arg(manifest).output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let server = Server::start(&[]);
    let metrics = server.client().get("/metrics");
    // Options by their variables.
    let help = run(&["serve", "--help"]).text();
    for word in said.lines() {
        match word.strip_prefix("MONOMORPH_") {
            // Never an option: `ps` would show it.
            Some("API_KEY") => {}
            Some(variable) => {
                let option = format!("--{} ", variable.to_lowercase().replace('_', "-"));
                assert!(help.contains(&option), "{option}");
            }
            None if word.starts_with('/') => {
                assert_eq!(server.client().get(word).status, 200, "{word}")
            }
            None => assert!(metrics.text().contains(word), "{word}"),
        }
    }
}
