//! Where each service listens.

use std::collections::BTreeMap;

use super::{Environment, SERVICES};
use crate::ports;

/// Where everything listens.
#[derive(Debug, Clone)]
pub struct Addresses {
    rest: String,
    grpc: BTreeMap<&'static str, String>,
    admin: BTreeMap<&'static str, String>,
}

impl Addresses {
    /// On free ports of 127.0.0.1.
    pub fn free() -> anyhow::Result<Self> {
        let free = || anyhow::Ok(format!("127.0.0.1:{}", ports::free()?));
        let each = || {
            SERVICES
                .iter()
                .map(|name| Ok((*name, free()?)))
                .collect::<anyhow::Result<_>>()
        };
        Ok(Self {
            rest: free()?,
            grpc: each()?,
            admin: each()?,
        })
    }

    /// The REST door.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// A service's gRPC door.
    pub fn grpc(&self, service: &str) -> String {
        self.grpc.get(service).cloned().unwrap_or_default()
    }

    /// A service's admin server.
    pub fn admin(&self, service: &str) -> String {
        self.admin.get(service).cloned().unwrap_or_default()
    }

    /// As settings.
    pub fn environment(&self) -> Environment {
        let mut pairs = vec![("GATEWAY__REST_ADDRESS".to_owned(), self.rest.clone())];
        for service in SERVICES {
            let section = service.to_ascii_uppercase();
            pairs.push((format!("{section}__GRPC_ADDRESS"), self.grpc(service)));
            pairs.push((format!("{section}__ADMIN_ADDRESS"), self.admin(service)));
            let admin = format!("GATEWAY__{section}_ADMIN_ADDRESSES");
            pairs.push((admin, self.admin(service)));
            if service != "gateway" {
                pairs.push((format!("GATEWAY__{section}_ADDRESSES"), self.grpc(service)));
            }
        }
        pairs
    }
}
