//! Paths to models, and the endpoints on them.

use std::fmt;

use super::{Anchor, Escaped, endpoint_place};
use crate::audit::network::PUBLIC_PATH;
use crate::audit::{Audit, EndpointAudit, PathEndpoint};

pub(super) fn write(formatter: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    paths(formatter, audit)?;
    endpoints(formatter, audit)
}

fn paths(formatter: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    let paths = audit.paths();
    if paths.is_empty() {
        return Ok(());
    }
    writeln!(
        formatter,
        "<section><h2>Paths to models <small>an endpoint is a further path, and closes none</small></h2>\
         <div class=\"scroll\"><table class=\"paths\"><thead><tr><th>Model</th><th>Service</th><th>Private path</th>\
         <th>Policy of the path</th><th>Public path</th><th>Consumers</th></tr></thead><tbody>"
    )?;
    for path in paths {
        write!(formatter, "<tr><th scope=\"row\">{}</th><td><code>{}</code></td>", Escaped(path.model), path.service)?;
        match &path.endpoint {
            None => write!(formatter, "<td class=\"none\">none</td><td class=\"none\">none</td>")?,
            Some(endpoint) => {
                write!(formatter, "<td>{}</td><td>", Escaped(&endpoint.to_string()))?;
                match endpoint {
                    PathEndpoint::Own(name, policy) => {
                        let id = audit.platform.id();
                        write!(formatter, "<a href=\"#{}\">{policy:?}</a></td>", Anchor(&endpoint_place(&id, name)))?;
                    }
                    PathEndpoint::Borrowed(..) | PathEndpoint::Adopted(_) | PathEndpoint::Pods(..) => {
                        write!(formatter, "{}</td>", Escaped(&endpoint.policy()))?;
                    }
                }
            }
        }
        let consumers = if path.consumers.is_empty() { "no consumer".into() } else { path.consumers.join(", ") };
        let public = if path.is_public { PUBLIC_PATH } else { "none" };
        writeln!(formatter, "<td>{public}</td><td>{}</td></tr>", Escaped(&consumers))?;
    }
    writeln!(formatter, "</tbody></table></div></section>")
}

fn endpoints(formatter: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    if audit.endpoint_policies.is_empty() {
        return Ok(());
    }
    writeln!(
        formatter,
        "<section><h2>VPC endpoints <small>a policy opens its statements</small></h2>\
         <div class=\"scroll\"><table class=\"paths\"><thead><tr><th>Endpoint</th><th>Type</th><th>Policy</th>\
         <th>Reached from</th><th>Wanted by</th></tr></thead><tbody>"
    )?;
    for endpoint in &audit.endpoint_policies {
        let EndpointAudit { name, service, endpoint_type, policy, reached_from, wanted_by, .. } = endpoint;
        let id = audit.platform.id();
        let place = endpoint_place(&id, name);
        let anchor = Anchor(&place);
        writeln!(
            formatter,
            "<tr><th scope=\"row\">{}<code>{}</code></th><td>{}</td><td id=\"{anchor}/cell\"><a href=\"#{anchor}\">{policy:?}</a></td>\
             <td>{}</td><td>{}</td></tr>",
            Escaped(name),
            Escaped(service),
            endpoint_type.name(),
            Escaped(reached_from),
            Escaped(&wanted_by.join(", ")),
        )?;
    }
    writeln!(formatter, "</tbody></table></div></section>")
}
