/**
 * Purpose: whose requests the web thread answers, for any page. There is no password, so a web page from
 * elsewhere, in the browser of someone who may look at ours, must not read them: neither by a name that
 * leads here (DNS rebinding: the browser then says that name) nor as a part of itself.
 */
import type { ListenAddress } from "./listen_address.ts";

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i;

/** Why a request is not answered; `undefined`: it is. */
export function refusal(request: Request, { hostname }: ListenAddress): Response | undefined {
  const asked = URL.parse(request.url)?.hostname.replace(/^\[(.*)\]$/, "$1") ?? "";
  // Through "ssh -L" the port is another. Elsewhere than on loopback people have names of their own.
  if (LOOPBACK.test(hostname) && !LOOPBACK.test(asked)) {
    return refuse(421, `Not "${asked}": ask for localhost or 127.0.0.1`);
  }
  const from = request.headers.get("sec-fetch-site") ?? "none"; // old browsers, and curl
  const byLink = request.headers.get("sec-fetch-mode") === "navigate";
  if (from !== "same-origin" && from !== "none" && !byLink) {
    return refuse(403, "Not for other sites");
  }
}

function refuse(status: number, words: string): Response {
  return new Response(`${words}\n`, { status });
}
