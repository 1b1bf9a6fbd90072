/** A client's address, in the form that a rate limit counts. */
import ipaddr from 'ipaddr.js';

/** IPv4 as it is; of IPv6 the /64 that one customer has; text that is no address as it is, cut. */
export function addressGroup(address: string): string {
  if (!ipaddr.isValid(address)) return address.slice(0, 64);
  const parsed = ipaddr.process(address);
  if (!(parsed instanceof ipaddr.IPv6)) return parsed.toString();
  return `${parsed.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}

/** The address that a trusted proxy added last to the header. */
export function lastAddress(header: string | undefined): string | null {
  return header?.split(',').at(-1)?.trim() || null;
}
