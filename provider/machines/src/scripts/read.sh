# shellcheck shell=sh disable=SC2154 # variables of common.sh
# read.sh OWNER HOST UID HOLDER: answers on standard output which of the things named on standard input, up to its `end`, the host has.
set -f
record=$state/$1
refuse_other "$2" "$3" "$4"
files='' binaries='' units='' sysctls='' ended=no
while read -r kind name rest; do
  case $kind in
  file) files="$files $name" ;;
  binary) binaries="$binaries $name" ;;
  unit) units="$units $name" ;;
  module)
    # shellcheck disable=SC2086 # three words, of which one is a pattern
    if module_present "$name" $rest; then echo "module $name"; fi
    ;;
  sysctl) sysctls="$sysctls $rest" ;;
  end) ended=yes ;;
  esac
done
[ "$ended" = yes ] || refuse_cut_off "the question"
# Names hold no white space and no characters that a shell interprets: bundle's names see to it.
# shellcheck disable=SC2086
{
  # The kernel gives a sysctl in one read or not at all, which rules out the shell's own.
  if [ -n "$sysctls" ]; then grep -s '' /dev/null $sysctls | sed 's/^/sysctl /'; fi
  if [ -n "$files" ]; then
    stat -c 'file %a %U:%G %u:%g %n' -- $files 2>/dev/null
    sha256sum -- $files 2>/dev/null | sed 's/^/sum /'
  fi
  if [ -n "$binaries" ]; then
    stat -c "binary %n$tab%s$tab%Y$tab%i" -- $binaries 2>/dev/null
    if [ -f "$record/binaries" ]; then sed 's/^/installed /' "$record/binaries"; fi
  fi
  if [ -n "$units" ]; then
    # One paragraph for each unit, in the order of the question.
    systemctl show -p LoadState,ActiveState,UnitFileState -- $units 2>&1 | sed 's/^/systemd /'
    for unit in $units; do
      if [ -f "$record/units/$unit" ]; then read -r stamp <"$record/units/$unit" && echo "stamp $unit $stamp"; fi
    done
  fi
}
if [ -d "$record/units" ]; then find "$record/units" -mindepth 1 -maxdepth 1 -type f -printf 'recorded %f\n'; fi
echo end
