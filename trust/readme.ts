import type { TrustContent } from '../proto/trust-bundle.ts'

/** What goes where, for whoever finds the directory. */
export function readmeText({ roles, expiresAt }: TrustContent): string {
  const { threshold, keyIds } = roles.root
  const release =
    roles.release.keyIds.length === 0
      ? 'No key: hosts take images that nobody signed. bootfleet trust rotate --add release=FILE ends that.'
      : 'Signs images; hosts take no other. To whoever releases them; never to the controller.'
  return `bootfleet: the trust of one deployment

root/        Take these offline now, each to another person or place, and keep none on a machine that
             serves. ${threshold} of ${keyIds.length} must sign before hosts believe anything new. nats-accounts.key signs
             what NATS lets hosts and the controller do; nats-operator.key is needed to replace it.
release/     ${release}
approver/    Public keys of people who permit lower versions, where there are any.
controller/  To the controller, as pki.dir of its configuration: the CA, the director key that signs plans,
             its server certificate, the trust bundles that it gives to hosts, and two keys that make NATS
             users of a day: for hosts, which may read their own plan, and for itself.
nats/        To the NATS server, as /etc/bootfleet/nats: nats-server -c nats-server.conf. Look at "listen", "http"
             and "store_dir" first.
provisioner/ To whoever installs and upgrades: bootfleet-controller provision makes the streams with it. Needed
             by nothing that runs.
operator/    To whoever operates: bootfleet --context names these files.
hosts/       Public. To hosts with their enrolment, or into the image.

*.key is secret (mode 0600). trust.jsonl is public; it says whom hosts believe, until ${expiresAt}.

bootfleet trust show    controller/trust.jsonl
bootfleet trust rotate  controller/trust.jsonl --root-key FILE ...
`
}
