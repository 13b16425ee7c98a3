# The peer "zcat | mawk": the one-liner, with its spaces. -v eni=INTERFACE -v nat=ADDRESS name the NAT gateway. Prints the forwarded bytes as JSON.
$1 == "version" { for (i = 1; i <= NF; i++) c[$i] = i; e = c["interface-id"]; s = c["srcaddr"]; d = c["dstaddr"]; ps = c["pkt-srcaddr"]; pd = c["pkt-dstaddr"]; b = c["bytes"]; next }
{ n++ }
$e != eni { next }
$d == nat && $pd != nat { sum[$pd] += $b }
$s == nat && $ps != nat { sum[$ps] += $b }
END { for (r in sum) total += sum[r]; printf "{\"records\":%.0f,\"nat_bytes\":%.0f}\n", n, total }
