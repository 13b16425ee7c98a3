//! The peer "VRL": what Vector runs per line of a flow log, `parse_aws_vpc_flow_log` compiled once and resolved for each event.
//!
//! Usage: `bench-vrl INTERFACE ADDRESS FILE...` with the interface and the private address of the NAT gateway. It prints one line of JSON.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::Instant;

use flate2::read::MultiGzDecoder;
use vrl::compiler::runtime::Runtime;
use vrl::compiler::{compile, Program, TargetValue, TimeZone};
use vrl::value::{ObjectMap, Secrets, Value};

struct Gateway {
    interface: String,
    address: String,
}

#[derive(Default)]
struct Sums {
    records: u64,
    nat_bytes: u64,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let gateway = Gateway {
        interface: args.next().expect("the interface of the gateway"),
        address: args.next().expect("the address of the gateway"),
    };
    let begin = Instant::now();
    let mut sums = Sums::default();
    for path in args {
        read(&path, &gateway, &mut sums);
    }
    println!(
        "{{\"seconds\":{},\"records\":{},\"nat_bytes\":{}}}",
        begin.elapsed().as_secs_f64(),
        sums.records,
        sums.nat_bytes
    );
}

fn read(path: &str, gateway: &Gateway, sums: &mut Sums) {
    let file = File::open(path).expect("the file opens");
    let mut lines = BufReader::with_capacity(256 << 10, MultiGzDecoder::new(BufReader::with_capacity(64 << 10, file)));
    let mut line = String::new();
    lines.read_line(&mut line).expect("a header line");
    let program = program(line.trim_end());
    let timezone = TimeZone::default();
    let mut runtime = Runtime::default();
    loop {
        line.clear();
        if lines.read_line(&mut line).expect("a line") == 0 {
            return;
        }
        let mut target = event(line.trim_end());
        runtime.clear();
        runtime.resolve(&mut target, &program, &timezone).expect("a flow log record");
        count(&target.value, gateway, sums);
    }
}

/// Compiles the program that a configuration of Vector would hold for this header line.
fn program(header: &str) -> Program {
    let format = header.replace('-', "_");
    let source = format!(". = parse_aws_vpc_flow_log!(.message, format: \"{format}\")");
    compile(&source, &vrl::stdlib::all()).expect("the program compiles").program
}

fn event(line: &str) -> TargetValue {
    let mut object = ObjectMap::new();
    object.insert("message".into(), Value::from(line));
    TargetValue {
        value: Value::Object(object),
        metadata: Value::Object(ObjectMap::new()),
        secrets: Secrets::new(),
    }
}

/// Adds a record, and its bytes if it is one of the two legs that the gateway forwards.
fn count(record: &Value, gateway: &Gateway, sums: &mut Sums) {
    let fields = record.as_object().expect("an object");
    sums.records += 1;
    let is = |field: &str, want: &str| fields.get(field).and_then(Value::as_bytes).is_some_and(|v| v.as_ref() == want.as_bytes());
    let own = gateway.address.as_str();
    let forwarded = is("dstaddr", own) != is("pkt_dstaddr", own) || is("srcaddr", own) != is("pkt_srcaddr", own);
    if forwarded && is("interface_id", &gateway.interface) && is("action", "ACCEPT") {
        sums.nat_bytes += fields.get("bytes").and_then(Value::as_integer).unwrap_or(0) as u64;
    }
}
