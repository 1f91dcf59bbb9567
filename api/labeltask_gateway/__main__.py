"""``python -m labeltask_gateway``: read the environment, connect, serve until SIGTERM, finish what is under way."""

import os
import sys

import structlog
import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError

from labeltask_contract.errors import InvalidTask
from labeltask_gateway.app import Backends, create_app
from labeltask_gateway.default_rules import load_default_rules
from labeltask_gateway.hosts import Resolver, is_address
from labeltask_gateway.kubernetes_cluster import connect
from labeltask_gateway.samples import DatabaseTables
from labeltask_gateway.settings import Settings
from labeltask_gateway.store import DatabaseHistory, History, NoHistory
from labeltask_gateway.trial import ProcessTrial
from labeltask_logs.json_lines import configure_logging

EXIT_SETTINGS = 2
DRAIN_SECONDS = 20
"""Longest wait for requests under way; below the 30 s after which Kubernetes kills the pod."""

_log = structlog.stdlib.get_logger(__name__)


def main() -> int:
    """Run the gateway and return its exit code."""
    try:
        settings = Settings()
        rules = load_default_rules(settings.default_rules)
    except (ValidationError, SettingsError, InvalidTask, OSError) as error:
        sys.stderr.write(f"labeltask_gateway can't start: {_explained(error)}\n")
        return EXIT_SETTINGS
    configure_logging(settings.log_level)
    _warn(settings)
    cluster = connect(settings.namespace, settings.request_timeout_seconds, settings.readiness_timeout_seconds)
    history: History = NoHistory()
    if settings.default_connection is not None and settings.history_schemas:
        account = settings.connections[settings.default_connection]
        history = DatabaseHistory(cluster, account, settings.history_schemas, settings.request_timeout_seconds)
    api_server = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    backends = Backends(
        cluster=cluster,
        history=history,
        tables=DatabaseTables(settings.sample_timeout_seconds),
        trial=ProcessTrial(settings.trial_timeout_seconds),
        resolve=Resolver(),
        inner_addresses=(api_server,) if is_address(api_server) else (),
    )
    uvicorn.run(
        create_app(settings, backends, rules),
        host=settings.listen_host,
        port=settings.listen_port,
        log_config=None,
        # The application logs its own requests, without query strings.
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return 0


def _explained(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'LABELTASK_' + '.'.join(map(str, item['loc'])).upper() if item['loc'] else 'settings'}: {item['msg']}"
        for item in found
    )


def _warn(settings: Settings) -> None:
    if settings.auth_mode == "none":
        _log.warning("no_authentication", help="everybody who reaches this port may run tasks: restrict who does")
    if not settings.allowed_hosts:
        _log.warning("any_database_host", help="set LABELTASK_ALLOWED_HOSTS to the hosts that SITE_CONFIG may name")


if __name__ == "__main__":
    raise SystemExit(main())
