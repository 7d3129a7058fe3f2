#!/bin/sh
# check-nginx PID_FILE: succeeds while the nginx of this load balancer runs. keepalived asks every second, so it starts no program.
read -r pid 2>/dev/null <"$1" && read -r program 2>/dev/null <"/proc/$pid/comm" && [ "$program" = nginx ]
