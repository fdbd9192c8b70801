"""Runs the user's program as Python itself would, with exactly the arguments it was given.

Flink's command line eats or changes some arguments, so they come in a file. Works with Python 3.6 and later.
"""


def _main():
    import json
    import os
    import sys

    own_folder = os.path.dirname(os.path.realpath(__file__))
    if len(sys.argv) > 1:
        wish_path = os.path.abspath(sys.argv[1])
        files = os.path.join(os.path.dirname(os.path.dirname(wish_path)), "files")
    else:
        # In application mode everything lies in one folder, wherever Flink has put that.
        files = os.path.dirname(os.path.abspath(__file__))
        wish_path = os.path.join(files, "entry.json")
    with open(wish_path, encoding="utf-8") as stream:
        wish = json.load(stream)

    if sys.path and os.path.realpath(sys.path[0] or ".") == own_folder:
        sys.path[0] = files
    else:
        sys.path.insert(0, files)

    own_codes = {_main.__code__, sys._getframe(1).f_code}
    show = sys.excepthook

    def hook(kind, error, trace):
        # The traceback begins with the user's program.
        while trace is not None and trace.tb_frame.f_code in own_codes:
            trace = trace.tb_next
        show(kind, error.with_traceback(trace), trace)

    sys.excepthook = hook
    # The program gets the real `__main__`: functions defined there are pickled by value, for Flink's Python workers.
    namespace = sys.modules["__main__"].__dict__
    namespace.pop("_main")

    if "module" in wish:
        import runpy

        sys.argv[:] = ["-m"] + wish["args"]
        # What `python -m` itself calls: the module becomes `__main__`.
        return runpy._run_module_as_main(wish["module"], True)

    from importlib.machinery import SourceFileLoader

    path = os.path.join(files, wish["script"])
    sys.argv[:] = [path] + wish["args"]
    with open(path, "rb") as stream:
        code = compile(stream.read(), path, "exec", dont_inherit=True)
    namespace.clear()
    namespace.update(
        __name__="__main__",
        __file__=path,
        __doc__=None,
        __package__=None,
        __spec__=None,
        __cached__=None,
        __loader__=SourceFileLoader("__main__", path),
        __builtins__=__import__("builtins"),
    )
    exec(code, namespace)


if __name__ == "__main__":
    _main()
