import json, os, platform, sys, sysconfig
try:
    from pip import __version__ as pip
except ImportError:
    pip = None
executable = getattr(sys, "_base_executable", None) or sys.executable
version = sys.version_info[:3]
stdlib = os.path.dirname(os.path.realpath(os.__file__))
print(json.dumps({
    "executable": os.path.realpath(executable),
    "version": "%d.%d.%d" % version,
    "implementation": sys.implementation.name,
    "machine": platform.machine(),
    "prefix": sys.base_prefix,
    "stdlib": stdlib,
    "dynload": sysconfig.get_config_var("DESTSHARED") and os.path.join(stdlib, "lib-dynload"),
    "pip": pip,
}))
