//! The AWS simulator, one for each test, and S3 as somebody else uses it.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::sync::OnceLock;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use serde_json::{Value, json};

use super::child::Server;

/// Operations that change nothing begin with one of these.
const READS: [&str; 3] = ["Get", "List", "Head"];

/// The settings of a client of one service, with credentials that are not the operator's.
macro_rules! config {
    ($sdk:ident, $simulator:expr, $region:expr) => {
        $sdk::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new($region.to_string()))
            .endpoint_url($simulator.url())
            .credentials_provider(Credentials::new("somebody", "else", None, None, "tests"))
    };
}

/// The server of which each simulator is a copy: its first calls take seconds, and theirs do not any more.
static COPIES: OnceLock<Server> = OnceLock::new();

/// A running simulator.
pub struct Simulator {
    url: String,
    /// It ends with this connection.
    _connection: TcpStream,
}

impl Simulator {
    /// Starts one on a port of its own.
    pub fn start() -> Self {
        let copies = COPIES.get_or_init(|| Server::start("tests/aws/serve.py", &["--copies"]));
        let connection = TcpStream::connect(copies.field("copies")).expect("the simulator answers");
        let mut line = String::new();
        BufReader::new(&connection).read_line(&mut line).expect("a copy of the simulator begins");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        Self { url: ready["url"].as_str().expect("its address").to_string(), _connection: connection }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a command to its control surface.
    pub fn control(&self, path: &str, body: Value) {
        self.ask(path, body);
    }

    /// Sends a command to its control surface; the answer.
    pub fn ask(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/_sim/{path}", self.url());
        let answer = ureq::post(&url).send_json(&body);
        let mut answer = answer.unwrap_or_else(|error| panic!("POST {url} {body}: {error}"));
        answer.body_mut().read_json().unwrap_or_default()
    }

    /// Lets no call fail any more.
    pub fn end_faults(&self) {
        let url = format!("{}/_sim/faults", self.url());
        ureq::delete(&url).call().unwrap_or_else(|error| panic!("DELETE {url}: {error}"));
    }

    /// Lets the next `times` calls of an S3 operation fail before they do anything.
    pub fn fail(&self, operation: &str, times: u32, code: &str, status: u16) {
        let error = json!({"code": code, "status": status});
        let fault = json!({"service": "s3", "operation": operation, "when": "before", "times": times, "error": error});
        self.control("faults", fault);
    }

    /// Lifts every fault, and cuts the calls that hang.
    pub fn lift_faults(&self) {
        let url = format!("{}/_sim/faults", self.url());
        ureq::delete(&url).call().unwrap_or_else(|error| panic!("DELETE {url}: {error}"));
    }

    /// Every call since it started.
    pub fn calls(&self) -> Vec<Value> {
        self.call_log("")
    }

    /// The number of calls since it started.
    pub fn call_count(&self) -> usize {
        self.call_log("fields=operation").len()
    }

    /// The names of the operations called, but for the operator's question whose its credentials are.
    pub fn operations(&self) -> Vec<String> {
        let names = self.call_log("fields=service,operation").into_iter().filter(|call| call["service"] == "s3");
        names.map(|call| call["operation"].as_str().unwrap_or_default().to_string()).collect()
    }

    /// The operations of S3 that could change something, from the given one of them on.
    pub fn writes_since(&self, start: usize) -> Vec<String> {
        let is_read = |name: &String| READS.iter().any(|read| name.starts_with(read));
        self.operations().into_iter().skip(start).filter(|name| !is_read(name)).collect()
    }

    /// The operations of all services that could change something, from the given call on.
    pub fn writes_since_call(&self, start: usize) -> Vec<String> {
        let is_read = |name: &String| ["Get", "List", "Head", "Describe"].iter().any(|read| name.starts_with(read));
        self.calls_since(start).into_iter().filter(|name| !is_read(name)).collect()
    }

    /// The names of all operations called, from the given call on.
    pub fn calls_since(&self, start: usize) -> Vec<String> {
        let names = self.call_log(&format!("since={start}&fields=operation")).into_iter();
        names.map(|call| call["operation"].as_str().unwrap_or_default().to_string()).collect()
    }

    /// The log of calls, or what is asked for of it: a long log takes a while to be told.
    fn call_log(&self, query: &str) -> Vec<Value> {
        let url = format!("{}/_sim/calls?{query}", self.url());
        let calls: Value = ureq::get(&url).call().expect("the call log").body_mut().read_json().expect("JSON");
        let Value::Array(calls) = calls else { panic!("a list: {calls}") };
        calls
    }

    /// IAM, with credentials that are not the operator's.
    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::from_conf(config!(aws_sdk_iam, self, "eu-west-1").build())
    }

    /// SQS, with credentials that are not the operator's.
    pub fn sqs(&self, region: &str) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs, self, region).build())
    }

    /// EventBridge, with credentials that are not the operator's.
    pub fn eventbridge(&self, region: &str) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::from_conf(config!(aws_sdk_eventbridge, self, region).build())
    }

    /// The credentials of somebody's session in a role, which is made for it.
    pub async fn session(&self, role: &str, name: &str) -> Credentials {
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}]});
        let made = self.iam().create_role().role_name(role).assume_role_policy_document(trust.to_string());
        let arn = made.send().await.expect("a role").role.expect("a role").arn;
        let sts = aws_sdk_sts::Client::from_conf(config!(aws_sdk_sts, self, "eu-west-1").build());
        let assumed = sts.assume_role().role_arn(arn).role_session_name(name).send().await.expect("a session");
        let given = assumed.credentials.expect("credentials");
        Credentials::new(given.access_key_id, given.secret_access_key, Some(given.session_token), None, "tests")
    }

    /// IAM with other credentials.
    pub fn iam_as(&self, credentials: &Credentials) -> aws_sdk_iam::Client {
        let config = config!(aws_sdk_iam, self, "eu-west-1").credentials_provider(credentials.clone());
        aws_sdk_iam::Client::from_conf(config.build())
    }

    /// EC2, with credentials that are not the operator's.
    pub fn ec2(&self) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::from_conf(config!(aws_sdk_ec2, self, "eu-west-1").build())
    }

    /// EKS, with credentials that are not the operator's.
    pub fn eks(&self) -> aws_sdk_eks::Client {
        aws_sdk_eks::Client::from_conf(config!(aws_sdk_eks, self, "eu-west-1").build())
    }

    /// CloudWatch Logs, with credentials that are not the operator's.
    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::from_conf(config!(aws_sdk_cloudwatchlogs, self, "eu-west-1").build())
    }

    /// SageMaker, with credentials that are not the operator's.
    pub fn sagemaker(&self) -> aws_sdk_sagemaker::Client {
        aws_sdk_sagemaker::Client::from_conf(config!(aws_sdk_sagemaker, self, "eu-west-1").build())
    }

    /// Application Auto Scaling, with credentials that are not the operator's.
    pub fn autoscaling(&self) -> aws_sdk_applicationautoscaling::Client {
        aws_sdk_applicationautoscaling::Client::from_conf(
            config!(aws_sdk_applicationautoscaling, self, "eu-west-1").build(),
        )
    }

    /// S3 in the region of the tests, with credentials that are not the operator's.
    pub fn s3(&self) -> Client {
        self.s3_in("eu-west-1")
    }

    /// S3 in another region.
    pub fn s3_in(&self, region: &str) -> Client {
        Client::from_conf(config!(aws_sdk_s3, self, region).force_path_style(true).build())
    }
}
