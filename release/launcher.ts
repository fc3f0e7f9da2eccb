/**
 * Purpose: the shell script that starts a program of a bundle. It uses what POSIX says and the shell has in
 * itself, but readlink(1) where it is called through a link.
 */
import { LIBRARY_NAME } from "../ffi/library_record.ts";
import type { Program } from "./programs.ts";
import { LIBRARY } from "./stage.ts";

/** Text of the script. */
export function launcher({ name, main, permissions }: Program, version: string): string {
  return `#!/bin/sh
# ${name} of uspf ${version}: runs the program with the runtime beside it. The program may load its own
# library, or one beside it, and listen where --metrics and --dashboard say; never is anybody asked for more.

self=$0
case $self in */*) ;; *) self=./$self ;; esac
if [ -h "$self" ] && ! self=$(readlink -f -- "$self"); then
  echo "Cannot follow the link \\"$0\\": no readlink here: start the program where it lies" >&2
  exit 1
fi
root=$(CDPATH='' cd -P -- "\${self%/*}/.." && pwd -P) || exit 1

net='' previous=''
listen() { # to what is no address and port the program itself says so
  host=\${1%:*} port=\${1##*:}
  case $1 in *:*) ;; *) return ;; esac
  case $port in '' | *[!0-9]* | ??????*) return ;; esac
  [ "$port" -le 65535 ] || return 0
  case $host in
    '['*[!0-9A-Fa-f:.]*']' | *:::*) return ;;
    '['*:*:*']') ;;
    '' | .* | *. | *..* | *[!0-9A-Za-z.-]*) return ;;
  esac
  net=\${net:+$net,}$1
}
for word do
  case $previous in --metrics | --dashboard) listen "$word" ;; esac
  case $word in --metrics=* | --dashboard=*) listen "\${word#*=}" ;; esac
  previous=$word
done

# Below /dev/null nothing can be written: no cache is left anywhere, and a terminal need not be told so.
export DENO_DIR=/dev/null/uspf DENO_LOG=error,deno::cache::cache_db=off DENO_NO_UPDATE_CHECK=1
exec "$root/runtime/deno" run -q --no-prompt --deny-import --config "$root/program/deno.json" \\
  -P=${permissions} \${net:+"--allow-net=$net"} \\
  \${USPF_LIBRARY:+"--allow-ffi=$root/program/${LIBRARY_NAME},$root/program/${LIBRARY},$USPF_LIBRARY"} \\
  "$root/program/${main}" "$@"
`;
}
