# The first process of the container, which ends with it: everything that still runs in it is killed then. So it stays
# until no guardian is left, because a guardian is what stops the motor of a service that is gone, killed or not.
percuss serve &
service=$!
trap 'kill -TERM $service 2>/dev/null' TERM INT
wait $service
code=$?
# A signal ends `wait`, too.
while kill -0 $service 2>/dev/null; do
    wait $service
    code=$?
done
# A guardian tries for 45 seconds, and closes its link. With [.] the pattern does not find itself.
left_s=60
while [ $left_s -gt 0 ] && grep -qs 'controller[.]guardian' /proc/[0-9]*/cmdline; do
    sleep 1
    left_s=$((left_s - 1))
done
exit $code
