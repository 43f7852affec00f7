# Runs one server that ends with the caller. Standard input is a pipe that the caller holds open; it closes when
# the caller ends for any reason. Standard output is a pipe that the caller reads; only the server keeps it
# open, as descriptor 4, so it closes when the server ends. Standard error is the log.
dir=$1
pid=
if @INITDB@ >&2; then
    @POSTGRES@ 4>&1 >&2 </dev/null &
    pid=$!
fi
exec >/dev/null
cat
if [ -n "$pid" ]; then
    # A server that has not installed its handlers yet ignores QUIT, as a background process of a shell does,
    # but not TERM. Otherwise QUIT is an immediate shutdown, without a checkpoint.
    kill -TERM "$pid"
    kill -QUIT "$pid"
    wait "$pid"
fi
cd /
rm -rf -- "$dir"
