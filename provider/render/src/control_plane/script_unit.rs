//! The unit of a script that runs on every control-plane host and does nothing there but ask the API server on it.

use crate::systemd::SANDBOX;

pub(super) struct ScriptUnit {
    pub description: &'static str,
    /// Below `/run`.
    pub runtime_directory: &'static str,
    /// As systemd takes it.
    pub memory_max: &'static str,
    pub command_line: String,
}

impl ScriptUnit {
    pub fn file(&self) -> String {
        let ScriptUnit { description, runtime_directory, memory_max, command_line } = self;
        format!(
            "[Unit]
Description={description}
After=network-online.target kube-apiserver.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart={command_line}
Restart=always
RestartSec=2
RuntimeDirectory={runtime_directory}
RuntimeDirectoryMode=0700
MemoryMax={memory_max}
TasksMax=64
CapabilityBoundingSet=
{SANDBOX}
[Install]
WantedBy=multi-user.target
"
        )
    }
}
