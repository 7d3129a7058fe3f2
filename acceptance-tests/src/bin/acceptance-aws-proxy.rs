//! `acceptance-aws-proxy`: the emulator of AWS behind the proxy that counts calls, for programs that are not tests. Its first line says
//! how to work on it: environment variables, as a JSON object. Then it answers each line of its standard input with one of JSON:
//!
//! - `reset`: a new account, and no calls; `{}`
//! - `calls`: `[{"service": …, "action": …, "is_mutating": …}, …]` since it was asked before, and starts counting again
//! - `inventory`: what there is, as a list of texts
//!
//! It ends when its standard input does.

use acceptance_tests::aws::{Call, Emulator, FaultProxy};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let emulator = Emulator::start();
    let proxy = FaultProxy::start(&emulator);
    proxy.associate_at_once();
    match serve(&emulator, &proxy) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("acceptance-aws-proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(emulator: &Emulator, proxy: &FaultProxy) -> std::io::Result<()> {
    let environment: BTreeMap<&str, String> = proxy.environment().into();
    say(&json!(environment))?;
    for line in std::io::stdin().lock().lines() {
        say(&answer(emulator, proxy, line?.trim()))?;
    }
    Ok(())
}

fn answer(emulator: &Emulator, proxy: &FaultProxy, question: &str) -> Value {
    match question {
        "reset" => {
            emulator.reset();
            proxy.reset();
            json!({})
        }
        "calls" => {
            let calls: Vec<Value> = proxy.calls().iter().map(shown).collect();
            proxy.clear_log();
            json!(calls)
        }
        "inventory" => json!(emulator.inventory()),
        other => json!({ "error": format!("no question: {other:?}") }),
    }
}

fn shown(call: &Call) -> Value {
    json!({ "service": call.service, "action": call.action, "is_mutating": call.is_mutating })
}

fn say(value: &Value) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{value}")?;
    output.flush()
}
