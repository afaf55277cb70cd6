# Runs cases of the Autobahn test suite against a WebSocket server, under Jython.
#
# usage: jython autobahn_client.py LIBRARIES URL CASES...
#
# Of each case one line goes to standard output: "case <id> <behaviour> <behaviour of the close>"; after the last one "done".
# The suite's own command line needs much that these cases do not use and that Jython does not have: TLS, pipes, a web
# server, reports. Empty modules stand in for that.

import os
import sys
import types

LIBRARIES, URL, CASES = sys.argv[1], sys.argv[2], sys.argv[3:]
sys.path.insert(0, LIBRARIES)


def stand_in(name, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module
    return module


class Nothing(object):
    pass


stand_in(
    "pkg_resources",
    declare_namespace=lambda name: None,
    resource_filename=lambda package, path: os.path.join(LIBRARIES, package, path),
)

# Twisted marks old modules by putting an object in the place of their package, which Jython cannot import from.
from twisted.python import deprecate

deprecate.deprecatedModuleAttribute = lambda *arguments: None

import twisted.internet

twisted.internet.ssl = stand_in("twisted.internet.ssl", ClientContextFactory=Nothing)
twisted.internet.stdio = stand_in("twisted.internet.stdio", PipeAddress=Nothing)
stand_in("twisted.web.server", Site=Nothing)
stand_in("twisted.web.static", File=Nothing)

suite = stand_in("autobahntestsuite", version="")
suite.__path__ = [os.path.join(LIBRARIES, "autobahntestsuite")]
stand_in("autobahntestsuite.report", CSS_COMMON="", CSS_DETAIL_REPORT="", CSS_MASTER_REPORT="", JS_MASTER_REPORT="")

from autobahntestsuite import fuzzing
from twisted.internet import reactor


def say(line):
    # Not `print`: what the suite itself prints is lost.
    OUTPUT.write(line + "\n")
    OUTPUT.flush()


OUTPUT, sys.stdout = sys.stdout, open(os.devnull, "w")


class Client(fuzzing.FuzzingClientFactory):
    def logCase(self, result):
        say("case %s %s %s" % (result["id"], result["behavior"], result["behaviorClose"]))

    def createReports(self):
        pass

    def clientConnectionFailed(self, connector, reason):
        say("failed %s" % reason.getErrorMessage())
        reactor.stop()


client = Client(
    {"servers": [{"agent": "server", "url": URL}], "cases": CASES, "exclude-cases": [], "exclude-agent-cases": {}}
)
say("cases %d" % len(client.specCases))
reactor.run()
say("done")
