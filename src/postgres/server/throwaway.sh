# Runs one server that ends with its caller. Our input is a pipe that the caller holds: it closes
# when the caller ends, in whatever way. Our output is one that the caller reads: it closes when the
# server has ended, since afterwards only the server holds it, as descriptor 4. Errors are the log.
dir=$1
pid=
if @INITDB@ >&2; then
    @POSTGRES@ 4>&1 >&2 </dev/null &
    pid=$!
fi
exec >/dev/null
cat
if [ -n "$pid" ]; then
    # TERM for a server that has not set up its handlers yet, and ignores QUIT, as what a shell starts
    # in the background does; QUIT for one that has: no checkpoint, since nobody wants the data.
    kill -TERM "$pid"
    kill -QUIT "$pid"
    wait "$pid"
fi
cd /
rm -rf -- "$dir"
