//! What makes a subnet that cannot be served, and reservations that contradict each other.

use super::*;

fn parts(network: &str, pools: &[&str]) -> SubnetParts {
    SubnetParts {
        network: Net::parse(network).unwrap(),
        pools: pools.iter().map(|pool| pool.parse().unwrap()).collect(),
        gateway: None,
        dns: Vec::new(),
        domain: None,
        ntp: Vec::new(),
        lease: Duration::from_secs(3600),
    }
}

fn refused(parts: SubnetParts) -> String {
    Subnet::new(parts).unwrap_err().to_string()
}

#[test]
fn a_subnet_that_cannot_be_served_is_refused_by_what_is_wrong() {
    let net = "10.1.0.0/24";
    for (parts, want) in [
        (parts("10.0.0.0/8", &[]), "10.0.0.0/8 cannot be served"),
        (
            parts(net, &["10.1.0.0-10.1.0.9"]),
            "is not within the hosts of",
        ),
        (
            parts(net, &["10.1.0.9-10.1.0.255"]),
            "is not within the hosts of",
        ),
        (parts(net, &["10.1.0.5-10.1.0.9", "10.1.0.9"]), "overlap"),
    ] {
        let error = refused(parts);
        assert!(error.contains(want), "{error}");
    }
    let with = |change: fn(&mut SubnetParts)| {
        let mut parts = parts("10.1.0.0/24", &["10.1.0.100-10.1.0.199"]);
        change(&mut parts);
        Subnet::new(parts).unwrap_err()
    };
    let gateway = |last| Some(Ipv4Addr::new(10, 1, 0, last));
    let taken = with(|parts| parts.gateway = Some(Ipv4Addr::new(10, 1, 0, 150)));
    assert!(matches!(
        taken,
        SubnetError::Taken {
            what: "gateway",
            ..
        }
    ));
    let far = with(|parts| parts.gateway = Some(Ipv4Addr::new(10, 2, 0, 1)));
    assert!(matches!(far, SubnetError::Gateway { .. }));
    assert_eq!(
        with(|p| p.lease = Duration::from_secs(59)),
        SubnetError::Lease
    );
    let dns = with(|parts| parts.dns = vec![Ipv4Addr::LOCALHOST; 5]);
    assert_eq!(dns, SubnetError::TooMany("dns"));
    let domain = with(|parts| parts.domain = Some("a b".into()));
    assert_eq!(domain, SubnetError::Domain("a b".into()));
    let mut good = parts(net, &["10.1.0.100-10.1.0.199"]);
    good.gateway = gateway(1);
    Subnet::new(good).unwrap();
    for wrong in ["10.1.0.9-10.1.0.5", "10.1.0", "-", "10.1.0.1-"] {
        assert_eq!(
            wrong.parse::<Range>(),
            Err(SubnetError::Range(wrong.into()))
        );
    }
}

#[test]
fn reservations_are_one_to_one_and_within_a_subnet() {
    let subnet = |net, pools: &[&str]| Subnet::new(parts(net, pools)).unwrap();
    let overlapping = vec![subnet("10.1.0.0/16", &[]), subnet("10.1.2.0/24", &[])];
    let error = Subnets::new(overlapping).unwrap_err();
    assert!(matches!(error, SubnetError::Overlap(..)), "{error}");
    let mut subnets = Subnets::new(vec![subnet("10.1.0.0/24", &["10.1.0.10-10.1.0.19"])]).unwrap();
    let mut reserve = |mac: u8, last: u8| {
        subnets.reserve(Reservation {
            mac: MacAddr([2, 0, 0, 0, 0, mac]),
            address: Ipv4Addr::new(10, 1, 0, last),
            host_name: None,
        })
    };
    assert_eq!(reserve(1, 12), Ok(()));
    assert!(matches!(reserve(2, 12), Err(SubnetError::Reserved { .. })));
    assert!(matches!(reserve(1, 13), Err(SubnetError::Twice { .. })));
    assert!(matches!(reserve(3, 255), Err(SubnetError::Nowhere(_))));
    let subnet = subnets.iter().next().unwrap();
    let twelve = u32::from(Ipv4Addr::new(10, 1, 0, 12));
    assert!(subnet.may_have(MacAddr([2, 0, 0, 0, 0, 1]), twelve));
    assert!(!subnet.may_have(MacAddr([2, 0, 0, 0, 0, 2]), twelve));
    assert_eq!(
        (subnet.open().len(), subnet.open().contains(&twelve)),
        (9, false)
    );
}
