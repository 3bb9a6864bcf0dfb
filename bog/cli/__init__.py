"""The commands: importing this package makes a process one of them.

A Ctrl-C ends a command at once and silently until it installs handlers of its own. Python's handler
would answer one that comes while the modules are still being imported with a traceback.
"""

import signal

if (
    signal.getsignal(signal.SIGINT) is signal.default_int_handler
):  # not when it is ignored: nohup, &
    signal.signal(signal.SIGINT, signal.SIG_DFL)
