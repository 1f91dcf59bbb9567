#!/bin/sh
# Start MariaDB on a data folder that may be empty, with users set from the environment (MYSQL_ROOT_PASSWORD,
# MYSQL_DATABASE, MYSQL_USER, MYSQL_PASSWORD; each password also as …_FILE, naming a mounted file).
# The users are set again on every start; arguments go to the server. Needs no root and writes only to
# /var/lib/mysql and /run/mysqld.
set -eu

# value NAME: print $NAME or the content of the file that $NAME_FILE names.
value() {
  eval "file=\${${1}_FILE:-} plain=\${$1:-}"
  if [ -n "$file" ]; then cat "$file"; else printf '%s' "$plain"; fi
}
# quoted TEXT: print it as an SQL string.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e "s/'/''/g")"; }

# `echo` would read backslashes as escapes.
say() { printf '%s\n' "$1"; }

root_password=$(value MYSQL_ROOT_PASSWORD)
user=$(value MYSQL_USER)
password=$(value MYSQL_PASSWORD)
[ -n "$root_password" ] || { say "entrypoint: set MYSQL_ROOT_PASSWORD or MYSQL_ROOT_PASSWORD_FILE" >&2; exit 64; }

if [ ! -d /var/lib/mysql/mysql ]; then
  mariadb-install-db --datadir=/var/lib/mysql --auth-root-authentication-method=normal --skip-test-db --skip-log-bin >&2
fi

# The server runs this file before it serves anyone, so no one ever sees it without passwords.
users=/run/mysqld/users.sql
umask 077
{
  for host in localhost 127.0.0.1 ::1 %; do
    say "CREATE USER IF NOT EXISTS 'root'@'$host';"
    say "ALTER USER 'root'@'$host' IDENTIFIED BY $(quoted "$root_password");"
    say "GRANT ALL ON *.* TO 'root'@'$host' WITH GRANT OPTION;"
  done
  if [ -n "${MYSQL_DATABASE:-}" ]; then
    say "CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\`;"
  fi
  if [ -n "$user" ]; then
    say "CREATE USER IF NOT EXISTS $(quoted "$user")@'%';"
    say "ALTER USER $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$password");"
    [ -z "${MYSQL_DATABASE:-}" ] || say "GRANT ALL ON \`$MYSQL_DATABASE\`.* TO $(quoted "$user")@'%';"
  fi
} > "$users"

exec mariadbd --init-file="$users" "$@"
