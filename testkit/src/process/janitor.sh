# Removes a folder when the test process is gone.
#
#   sh -c SCRIPT janitor FOLDER
#
# Standard input is the lifeline, as for a supervisor. Servers are told to end
# at the same moment and may still write for a while, hence the retries.

while read -r _; do :; done
left=100
while [ "$left" -gt 0 ] && ! rm -rf "$1" 2>/dev/null; do
    sleep 0.1
    left=$((left - 1))
done
