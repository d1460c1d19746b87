// What this visitor may call: GET /api/campaigns, and what the page's address names, as in /?campaign=sales.

import { $ } from "./dom.js";

const HINTS: Record<string, string> = {
  assistant: "assistant – talk with it",
  echo: "echo – hear yourself",
  talker: "talker – interrupt a tune",
};

/** Resolves to false where the gateway wants credentials first. */
export async function offerCampaigns(apiKey: string): Promise<boolean> {
  const answer = await fetch("/api/campaigns", apiKey ? { headers: { "X-API-Key": apiKey } } : {}).catch(() => null);
  const { campaigns = [] } = await answer?.json().catch(() => ({})) ?? {};
  const select = $<HTMLSelectElement>("campaign");
  const chosen = select.value || new URLSearchParams(location.search).get("campaign");
  const names = new Set((campaigns as { campaignId: string }[]).map(({ campaignId }) => campaignId));
  if (chosen) names.add(chosen);
  select.replaceChildren(...[...names].map((name) => new Option(HINTS[name] ?? name, name)));
  if (chosen) select.value = chosen;
  return answer?.status !== 401;
}
