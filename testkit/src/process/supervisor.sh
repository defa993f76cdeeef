# Runs one server for a test process and ends it when that process is gone.
#
#   sh -c SCRIPT supervisor PARTING LOG PROGRAM [ARGUMENT...]
#
# Standard input is the lifeline: nobody writes to it, and it reaches its end
# when the test process closes it or dies. Standard output says two lines, the
# server's process id and, once it has ended, its exit status.

parting=$1 log=$2
shift 2

exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
server=$!
echo "$server"

# When the test process dies, this process group is orphaned, and if the server
# is paused the kernel sends the group a SIGHUP just then. The server itself
# keeps what it does with that signal.
trap '' HUP

# The descendants of a process, then the process itself. The parent comes last
# because the supervisor ends its guard as soon as the server is gone.
family() {
    for child in $(ps -A -o pid= -o ppid= | awk -v parent="$1" '$2 == parent { print $1 }'); do
        family "$child"
    done
    echo "$1"
}

(
    while read -r _ <&3; do :; done
    all=$(family "$server")
    # A stopped process would never see the parting signal.
    kill -CONT $all
    if [ "$parting" != KILL ]; then
        kill "-$parting" "$server"
        left=50
        while [ "$left" -gt 0 ] && kill -0 "$server"; do
            sleep 0.1
            left=$((left - 1))
        done
    fi
    kill -KILL $all
) >/dev/null 2>&1 &
guard=$!
exec 3<&-

wait "$server" 2>/dev/null
status=$?
kill -KILL "$guard" 2>/dev/null
echo "$status"
