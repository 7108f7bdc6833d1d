//! `aiplatform get`: a live platform as a tree, once or for as long as somebody watches.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};

use super::{BAD_INPUT, Error, SUCCESS, output, run};
use crate::api::AIPlatform;
use crate::readiness::cluster_obstacle;
use crate::render::Tree;

/// Ages move by the second while somebody looks at them.
const TICK: Duration = Duration::from_secs(1);

/// Another screen of the terminal, which leaves the one before as it was, and the way back.
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// An empty screen.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Arguments of `get`.
#[derive(Args, Debug, Clone)]
pub(super) struct GetArguments {
    /// The platform
    name: String,
    /// Its namespace. Default: that of the kubeconfig's context
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// Go on showing it while it changes
    #[arg(short, long)]
    watch: bool,
}

pub(super) fn get(arguments: &GetArguments) -> Result<u8, Error> {
    run::runtime()?.block_on(async {
        let client = run::client().await?;
        let namespace = arguments.namespace.clone().unwrap_or_else(|| client.default_namespace().to_string());
        let api: Api<AIPlatform> = Api::namespaced(client.clone(), &namespace);
        let found = api.get_opt(&arguments.name).await;
        let found = found.map_err(|error| Error::Cluster(cluster_obstacle(&error)))?;
        let Some(found) = found else {
            output::complain(&format!(
                "there is no AIPlatform {namespace}/{}: kubectl get aip -A lists all",
                arguments.name
            ));
            return Ok(BAD_INPUT);
        };
        if arguments.watch { watch(&client, found).await } else { shown(&found).map(|()| SUCCESS) }
    })
}

fn shown(object: &AIPlatform) -> Result<(), Error> {
    output::print(tree(object, output::is_colourful(&io::stdout())))
}

fn tree(object: &AIPlatform, colour: bool) -> Tree<'_> {
    Tree { object, now: Timestamp::now(), colour }
}

/// On a terminal one screen that is kept current; elsewhere the tree once more after each change.
async fn watch(client: &Client, first: AIPlatform) -> Result<u8, Error> {
    let (namespace, name) = (first.metadata.namespace.clone(), first.metadata.name.clone().unwrap_or_default());
    let api: Api<AIPlatform> = Api::namespaced(client.clone(), &namespace.unwrap_or_default());
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = watcher(api, config).default_backoff().boxed();
    let is_screen = io::stdout().is_terminal();
    if is_screen {
        output::print(ENTER)?;
    } else {
        shown(&first)?;
    }
    let mut object = first;
    let mut ticks = tokio::time::interval(TICK);
    let watched = loop {
        tokio::select! {
            ended = tokio::signal::ctrl_c() => {
                break ended.map_err(|error| Error::Start(error.to_string())).map(|()| true);
            }
            _ = ticks.tick(), if is_screen => {}
            event = events.try_next() => match event {
                Ok(Some(Event::Apply(next) | Event::InitApply(next))) => {
                    if !is_screen && next.metadata.resource_version != object.metadata.resource_version {
                        output::print("\n")?;
                        shown(&next)?;
                    }
                    object = next;
                }
                Ok(Some(Event::Delete(_))) => break Ok(false),
                Ok(Some(Event::Init | Event::InitDone)) => {}
                Ok(None) => break Ok(true),
                // The watch goes on by itself.
                Err(error) => output::complain(&format!("the API server: {error}")),
            },
        }
        if is_screen {
            let frame = format!("{CLEAR}{}\nCtrl-C ends this; what is made goes on", tree(&object, true));
            output::excused(io::stdout().lock().write_all(frame.as_bytes()).and_then(|()| io::stdout().flush()))?;
        }
    };
    if is_screen {
        output::print(LEAVE)?;
    }
    if watched? {
        if is_screen {
            shown(&object)?;
        }
    } else {
        output::print(format!("AIPlatform {name} is gone\n"))?;
    }
    Ok(SUCCESS)
}
