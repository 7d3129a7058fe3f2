# shellcheck shell=sh disable=SC2154 # variables of common.sh
# take_over.sh OWNER HOST UID HOLDER: from now on no script works on this record for a holder that had it before.
open_record "$1" "$2" "$3" "$4"
# The caller saw one: another run has removed it since.
has_record || { rm -f "$lock" && fail removed "$owner"; }
holders=$(own holders)
superseded=$(own superseded)
new=
# States from before there were holders have the nil one.
for holder in $nil_uid $holders; do
  if [ "$holder" = "$4" ] || contains "$superseded" "$holder"; then continue; fi
  new="$new${new:+$newline}$holder"
done
contains "$holders" "$4" || add_lines holders "$4"
add_lines superseded "$new"
