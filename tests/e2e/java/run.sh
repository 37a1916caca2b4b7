#!/usr/bin/env bash
# Runs the stock Java client against the gateway that RELAY_BIN names. Needs a JDK (17 or newer) and
# Maven, which fetches the client. The last line is the sum; the exit code is 0 if nothing failed.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
: "${RELAY_BIN:?must name the relay binary}"

# Nothing to do, and nothing to ask the network, if these versions were fetched already.
if ! cmp -s pom.xml target/installed; then
    rm -rf target
    mvn -q -B dependency:copy-dependencies -DoutputDirectory=target/lib
    cp pom.xml target/installed
fi
rm -rf target/classes
javac -Xlint:all -Werror -d target/classes -cp 'target/lib/*' src/*.java
exec java -cp 'target/classes:target/lib/*' Suite
