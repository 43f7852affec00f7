//! The report in a headless Chromium, over `WebDriver`. Skipped where Chromium or its driver cannot be had.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::html_report::mixed_fleet;
use crate::support::{Finish as _, Project, temporary_folder};

/// Where the screenshots of the documents are written, if the variable is set.
const SCREENSHOTS: &str = "TENURE_SCREENSHOTS";

/// A browser.
struct Browser {
    driver: Child,
    runtime: Runtime,
    client: Client,
    session: String,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let closed = self.client.delete(&self.session);
        let _closed = self.runtime.block_on(async { closed.timeout(Duration::from_secs(20)).send().await });
        let _killed = self.driver.kill();
        let _ended = self.driver.wait();
    }
}

impl Browser {
    /// Starts a browser; `None` if there is none.
    fn start() -> Option<Self> {
        let found = |names: &[&'static str]| -> Option<&'static str> {
            let has = |name: &&&str| {
                Command::new("sh").args(["-c", &format!("command -v {name}")]).finish().status.success()
            };
            names.iter().find(has).copied()
        };
        let browser = found(&["chromium", "chromium-browser", "google-chrome"]);
        let (Some(browser), Some(driver)) = (browser, found(&["chromedriver"])) else {
            eprintln!(
                "SKIPPED: chromium and chromedriver are not installed; script/setup --for-tests installs them"
            );
            return None;
        };
        let browser = Command::new("sh").args(["-c", &format!("command -v {browser}")]).finish().stdout;
        let browser = String::from_utf8(browser).unwrap().trim().to_owned();
        let profile = tempfile::tempdir_in(temporary_folder()).unwrap();
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port = lines.find_map(|line| {
            line.split("successfully on port ").nth(1).map(|port| port.trim_end_matches('.').to_owned())
        });
        let port = port.expect("the driver's port");
        // Its further output is of no interest.
        std::thread::spawn(move || lines.for_each(drop));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _provider = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
        let session = format!("http://127.0.0.1:{port}/session");
        let mut browser_arguments = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ];
        let folder = format!("--user-data-dir={}", profile.path().display());
        browser_arguments.push(&folder);
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": browser, "args": browser_arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let mut browser = Self { driver, runtime, client, session, _profile: profile };
        let session = browser.call(Method::POST, "", &wanted);
        browser.session = format!("{}/{}", browser.session, session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let answer: Value = self.runtime.block_on(async {
            let request = self.client.request(method.clone(), url);
            let request = if method == Method::GET { request } else { request.json(body) };
            request.send().await.unwrap().json().await.unwrap()
        });
        assert!(answer["value"].get("error").is_none_or(Value::is_null), "{path}: {answer}");
        answer["value"].clone()
    }

    fn open(&self, file: &Path) {
        self.call(Method::POST, "/url", &json!({"url": format!("file://{}", file.display())}));
    }

    /// The value of an expression in the page.
    fn value(&self, expression: &str) -> Value {
        self.call(
            Method::POST,
            "/execute/sync",
            &json!({"script": format!("return {expression}"), "args": []}),
        )
    }

    /// Types into the focused element.
    fn type_keys(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
            })
            .collect();
        self.call(
            Method::POST,
            "/actions",
            &json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}),
        );
    }

    fn click(&self, selector: &str) {
        self.value(&format!("document.querySelector({}).click()", json!(selector)));
    }

    /// A command of Chromium's own protocol.
    fn protocol(&self, command: &str, parameters: Value) -> Value {
        self.call(Method::POST, "/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// The errors and warnings of the console.
    fn console(&self) -> Vec<Value> {
        let lines = self.call(Method::POST, "/se/log", &json!({"type": "browser"}));
        lines.as_array().unwrap().clone()
    }
}

const SHOWN: &str =
    "[...document.querySelectorAll('#grid li')].filter(cell => cell.offsetParent !== null).length";

#[test]
fn the_page_works_in_a_browser() {
    let Some(browser) = Browser::start() else { return };
    let project = mixed_fleet(240);
    project.run("report --drift --html report.html").passes();
    browser.protocol(
        "Emulation.setDeviceMetricsOverride",
        json!({"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
    );
    browser.open(&project.dir.path().join("report.html"));
    assert_eq!(browser.value(SHOWN), json!(240));
    assert_eq!(browser.value("document.querySelectorAll('.group').length"), json!(3), "three versions");
    let failed = browser.value("document.querySelectorAll('#grid li.f').length");
    let drifted = browser.value("document.querySelectorAll('#grid li.d').length");
    assert!(failed.as_u64().unwrap() > 20 && drifted.as_u64().unwrap() > 20, "{failed} {drifted}");
    let colours = "[...document.querySelectorAll('.group')].map(group => getComputedStyle(group.querySelector('li:not(.f)') ?? group.querySelector('li')).backgroundColor)";
    let colours = browser.value(colours);
    assert!(colours.as_array().unwrap().iter().all(|colour| colour != "rgba(0, 0, 0, 0)"), "{colours}");
    // Only failed tenants, and back.
    browser.click("[data-only=f]");
    assert_eq!(browser.value(SHOWN), failed);
    assert_eq!(
        browser.value("document.getElementById('shown').textContent"),
        json!(format!("{failed} of 240"))
    );
    browser.click("[data-only=f]");
    // A version less, and back.
    let first = browser.value("document.querySelectorAll('.group[data-group=\"0\"] li').length");
    browser.click("[data-version='0']");
    assert_eq!(browser.value(SHOWN), json!(240 - first.as_u64().unwrap()));
    browser.click("[data-version='0']");
    // Search with the keyboard.
    browser.type_keys("/tenant_01");
    assert_eq!(browser.value("document.activeElement.id"), json!("q"));
    assert_eq!(browser.value(SHOWN), json!(10));
    browser.type_keys("\u{e00c}");
    assert_eq!(browser.value(SHOWN), json!(240));
    // Arrow keys in the grid.
    browser.value("document.querySelector('#grid li[tabindex]').focus()");
    browser.type_keys("\u{e014}\u{e014}\u{e015}");
    let focused =
        browser.value("document.activeElement.tagName + document.getElementById('detail').textContent");
    assert!(focused.as_str().unwrap().starts_with("LItenant_"), "{focused}");
    // Names instead of cells.
    browser.click("#as-list");
    assert_eq!(
        browser.value("getComputedStyle(document.querySelector('#grid li span')).display"),
        json!("block")
    );
    browser.click("#as-list");
    assert_eq!(browser.console(), [] as [Value; 0]);
    if let Some(folder) = std::env::var_os(SCREENSHOTS) {
        browser.value("document.activeElement.blur()");
        // The name of the tests' database says nothing to a reader.
        browser.value("document.querySelector('header p').textContent = 'app at db.example.com:5432'");
        for theme in ["light", "dark"] {
            let features = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
            browser.protocol("Emulation.setEmulatedMedia", features);
            let clip = json!({"x": 0, "y": 0, "width": 1280, "height": 1900, "scale": 1});
            let picture = browser
                .protocol("Page.captureScreenshot", json!({"captureBeyondViewport": true, "clip": clip}));
            let bytes = from_base64(picture["data"].as_str().unwrap());
            std::fs::write(Path::new(&folder).join(format!("report-{theme}.png")), bytes).unwrap();
        }
    }
}

#[test]
fn the_page_is_readable_without_scripts_and_hostile_names_do_nothing() {
    let Some(browser) = Browser::start() else { return };
    let project = mixed_fleet(30);
    let evil = "<img src=x onerror=document.title=1><script>document.title=1</script>";
    project.db.run(&format!(
        "UPDATE datalinx_platform.organizations SET slug = '{evil}' WHERE slug = 'tenant_003'"
    ));
    project.run("report --html report.html").passes();
    let page = project.dir.path().join("report.html");
    browser.open(&page);
    assert!(browser.value("document.title").as_str().unwrap().starts_with("Tenure: "));
    assert_eq!(browser.value("document.querySelectorAll('img').length"), json!(0));
    assert!(browser.value("document.getElementById('grid').textContent").as_str().unwrap().contains(evil));
    assert_eq!(browser.console(), [] as [Value; 0]);
    browser.protocol("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    browser.open(&page);
    let text = browser.protocol("Runtime.evaluate", json!({"expression": "document.body.innerText"}));
    let shown = browser.protocol("DOM.getDocument", json!({"depth": 0}));
    assert!(shown["root"]["nodeId"].is_number(), "{text}");
    let root = json!({"nodeId": shown["root"]["nodeId"], "selector": "#grid li"});
    let cells = browser.protocol("DOM.querySelectorAll", root);
    assert_eq!(cells["nodeIds"].as_array().unwrap().len(), 30);
}

#[test]
fn ten_thousand_cells_are_drawn_in_a_second() {
    let Some(browser) = Browser::start() else { return };
    let project = Project::with_tenants(&["acme"]);
    project.db.run(
        "INSERT INTO datalinx_platform.tenant_version (schema_name, version, template) \
         SELECT 'org_company_' || n, CASE WHEN n % 10 = 0 THEN '1.0.3' ELSE '1.0.4' END, 'default' FROM generate_series(1, 9999) n",
    );
    project.run("report --html report.html").passes();
    let began = Instant::now();
    browser.open(&project.dir.path().join("report.html"));
    assert_eq!(browser.value("document.querySelectorAll('#grid li').length"), json!(10_000));
    let took = browser.value("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd");
    // Chromium shares its cores with the other tests.
    assert!(took.as_f64().unwrap() < 5_000.0, "{took} ms, {:?}", began.elapsed());
    let typing = browser.value(
        "(() => { const began = performance.now(); const q = document.getElementById('q'); q.value = 'company_77'; \
         q.dispatchEvent(new Event('input', { bubbles: true })); document.body.offsetHeight; return performance.now() - began; })()",
    );
    assert!(typing.as_f64().unwrap() < 5_000.0, "{typing} ms");
    eprintln!("10,000 tenants: loaded in {took} ms, filtered in {typing} ms");
}

/// The bytes of a base64 text.
fn from_base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let values: Vec<u8> = text
        .bytes()
        .filter_map(|byte| LETTERS.iter().position(|letter| *letter == byte))
        .map(|at| at.to_le_bytes()[0])
        .collect();
    let group = |group: &[u8]| {
        let bits =
            group.iter().fold(0_u32, |bits, value| bits << 6 | u32::from(*value)) << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    values.chunks(4).flat_map(group).collect()
}
