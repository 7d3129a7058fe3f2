"""The emulator behind the proxy that counts calls: what it is asked by name, and EC2 by plain HTTP."""

import json
import subprocess
import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree

REGION = "us-east-1"


class Proxy:
    """It ends with its standard input."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.environment = self.read()

    def read(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else sys.exit("the proxy has ended")

    def ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return self.read()

    def inventory(self):
        """Without the names of addresses: Ansible's module gives the ones that it allocates none."""
        lines = self.ask("inventory")
        return sorted("elastic ip " + line.split()[-1] if line.startswith("elastic ip ") else line for line in lines)

    def ec2(self, action, parameters):
        """The root of the answer."""
        form = urllib.parse.urlencode({"Action": action, "Version": "2016-11-15", **parameters})
        # Nothing is signed: the emulator reads no more of a signature than for which service it is.
        scope = f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/ec2/aws4_request"
        request = urllib.request.Request(self.environment["AWS_ENDPOINT_URL"], form.encode(), {"Authorization": scope})
        with urllib.request.urlopen(request) as answer:
            return xml.etree.ElementTree.fromstring(answer.read())

    def end(self):
        self.process.stdin.close()
        self.process.wait()
