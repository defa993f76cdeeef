// What a customer does in the shop.

export const add = (page, product) =>
  page.getByRole("button", { name: `Add ${product} to the cart` }).click();

export const checkOut = (page) => page.getByRole("button", { name: "Checkout" }).click();

/** Waits for a stage of the order, by how it is told. */
export const stage = (page, text) => page.locator(".stage.reached").filter({ hasText: text }).waitFor();

/** The order that the page shows. */
export async function orderId(page) {
  await page.getByText("Accepted in").waitFor();
  return page.locator("#order-id").innerText();
}

/** The number of a customer that no other test has. */
export const newCustomer = () => Math.floor(Math.random() * 1e12) + 1e6;

/** Orders as a customer that no other test has. */
export async function asNewCustomer(page) {
  const customer = String(newCustomer());
  await page.getByLabel("Customer number").fill(customer);
  return customer;
}
