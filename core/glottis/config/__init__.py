"""Configuration: TOML and environment, typed, and validated before anything listens."""

from glottis.config.components import typed_settings
from glottis.config.ice_policies import IcePolicy
from glottis.config.loading import API_KEY_VARIABLE, load_config, load_file, load_log, load_what_fits, name_sources
from glottis.config.log_settings import Log
from glottis.config.logs import configure_logging, flush_logs, records_dropped, uncaught_errors_logged
from glottis.config.mistakes import Mistakes
from glottis.config.rendering import render
from glottis.config.resolution import resolve
from glottis.config.resolved import Campaign, CampaignAgent, Elsewhere, NamedAuthScheme, NamedProvider, ResolvedConfig
from glottis.config.settings import (
    AgentSection,
    Auth,
    CampaignSection,
    Config,
    Extensions,
    IceServers,
    Isolation,
    Media,
    Pages,
    Plugins,
    Routes,
    Server,
    Workers,
    parse_advertised_address,
)

__all__ = [
    "API_KEY_VARIABLE",
    "AgentSection",
    "Auth",
    "Campaign",
    "CampaignAgent",
    "CampaignSection",
    "Config",
    "Elsewhere",
    "Extensions",
    "IcePolicy",
    "IceServers",
    "Isolation",
    "Log",
    "Media",
    "Mistakes",
    "NamedAuthScheme",
    "NamedProvider",
    "Pages",
    "Plugins",
    "ResolvedConfig",
    "Routes",
    "Server",
    "Workers",
    "configure_logging",
    "flush_logs",
    "load_config",
    "load_file",
    "load_log",
    "load_what_fits",
    "name_sources",
    "parse_advertised_address",
    "records_dropped",
    "render",
    "resolve",
    "typed_settings",
    "uncaught_errors_logged",
]
