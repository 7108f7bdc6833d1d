//! Ingress rules: EC2 puts all peers with the same ports into one permission, and here each peer is a rule.

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};

use crate::failure::Error;
use crate::features::network::security_group::{IngressRule, Peer};
use crate::resource::reference::Reference;

/// The rules in what EC2 answers, each with the permission that it alone is, as EC2 would have to be told to revoke it.
pub(super) fn flattened(permissions: &[IpPermission]) -> Vec<(IngressRule, IpPermission)> {
    permissions.iter().flat_map(of_permission).collect()
}

fn of_permission(permission: &IpPermission) -> Vec<(IngressRule, IpPermission)> {
    let protocol = permission.ip_protocol.clone().unwrap_or_default();
    let ports = permission.from_port.zip(permission.to_port);
    let empty = IpPermission::builder()
        .set_ip_protocol(permission.ip_protocol.clone())
        .set_from_port(permission.from_port)
        .set_to_port(permission.to_port);
    let rule = |peer: Peer| IngressRule { protocol: protocol.clone(), ports, peer };
    let ipv4 = permission.ip_ranges().iter().filter_map(|range| {
        let alone = empty.clone().ip_ranges(range.clone()).build();
        Some((rule(Peer::Cidr(range.cidr_ip.clone()?)), alone))
    });
    let ipv6 = permission.ipv6_ranges().iter().filter_map(|range| {
        let alone = empty.clone().ipv6_ranges(range.clone()).build();
        Some((rule(Peer::Cidr(range.cidr_ipv6.clone()?)), alone))
    });
    let lists = permission.prefix_list_ids().iter().filter_map(|list| {
        let alone = empty.clone().prefix_list_ids(list.clone()).build();
        Some((rule(Peer::PrefixList(list.prefix_list_id.clone()?)), alone))
    });
    let groups = permission.user_id_group_pairs().iter().filter_map(|pair| {
        let alone = empty.clone().user_id_group_pairs(pair.clone()).build();
        Some((rule(Peer::Group(Reference::known(pair.group_id.clone()?))), alone))
    });
    ipv4.chain(ipv6).chain(lists).chain(groups).collect()
}

/// The permission that a rule is.
///
/// # Errors
/// When the peer is not known, which is a bug: the plan waits until it is.
pub(super) fn permission(action: &str, subject: &str, rule: &IngressRule) -> Result<IpPermission, Error> {
    let (from, to) = rule.ports.unzip();
    let permission = IpPermission::builder().ip_protocol(&rule.protocol).set_from_port(from).set_to_port(to);
    let permission = match &rule.peer {
        Peer::Cidr(block) if block.contains(':') => {
            permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(block).build())
        }
        Peer::Cidr(block) => permission.ip_ranges(IpRange::builder().cidr_ip(block).build()),
        Peer::PrefixList(id) => permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(id).build()),
        Peer::Group(Reference { id: Some(id), .. }) => {
            permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(id).build())
        }
        Peer::Group(Reference { id: None, .. }) | Peer::Vpc(_) => {
            return Err(Error::bug(action, subject, format_args!("the peer of {} is not known", rule.text())));
        }
    };
    Ok(permission.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::network::security_group::ALL_PROTOCOLS;

    fn tcp(peer: Peer) -> IngressRule {
        IngressRule::tcp(443, peer)
    }

    #[test]
    fn each_peer_is_a_rule_and_a_rule_is_what_it_was_read_from() {
        let pair = UserIdGroupPair::builder().group_id("sg-1").user_id("210987654321").build();
        let grouped = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(443)
            .to_port(443)
            .ip_ranges(IpRange::builder().cidr_ip("10.0.0.0/16").description("office").build())
            .ip_ranges(IpRange::builder().cidr_ip("10.1.0.0/16").build())
            .ipv6_ranges(Ipv6Range::builder().cidr_ipv6("2001:db8::/48").build())
            .prefix_list_ids(PrefixListId::builder().prefix_list_id("pl-1").build())
            .user_id_group_pairs(pair)
            .build();
        let all = IpPermission::builder()
            .ip_protocol(ALL_PROTOCOLS)
            .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build())
            .build();
        let found = flattened(&[grouped, all]);
        let texts: Vec<String> = found.iter().map(|(rule, _)| rule.text()).collect();
        assert_eq!(
            texts,
            [
                "tcp 443 from 10.0.0.0/16",
                "tcp 443 from 10.1.0.0/16",
                "tcp 443 from 2001:db8::/48",
                "tcp 443 from pl-1",
                "tcp 443 from sg-1",
                "all traffic from 0.0.0.0/0",
            ]
        );
        for (rule, alone) in &found {
            assert_eq!(flattened(std::slice::from_ref(alone)), [(rule.clone(), alone.clone())]);
            let written = permission("a", "b", rule).unwrap();
            assert_eq!(flattened(&[written])[0].0, *rule);
        }
        let pairs = found[4].1.user_id_group_pairs();
        assert_eq!(pairs[0].user_id(), Some("210987654321"), "a group of another account is revoked with its account");
    }

    #[test]
    fn nothing_is_sent_of_a_peer_that_is_not_known() {
        let group = crate::resource::Key { kind: crate::resource::Kind::SecurityGroup, name: "models".into() };
        for peer in [Peer::Vpc("vpc-1".into()), Peer::Group(Reference::of(group))] {
            let error = permission("ec2:AuthorizeSecurityGroupIngress", "sg-1", &tcp(peer)).unwrap_err();
            assert_eq!(error.class, crate::failure::Class::Bug);
        }
    }
}
