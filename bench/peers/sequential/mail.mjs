// One mail for each purchased product, with what the notifier's mails say.

/** Making a format costs more than using it. */
const formats = new Map();

function money(minor, currency) {
  let format = formats.get(currency);
  if (!format) {
    format = new Intl.NumberFormat('en', { style: 'currency', currency });
    formats.set(currency, format);
  }
  return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
}

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escaped = (text) => text.replace(/[&<>"']/g, (character) => ESCAPES[character]);

/** The mail about one line of an order, for nodemailer. */
export function mailOf(order, line) {
  const each = money(line.unitPrice, order.currencyCode);
  const together = money(line.unitPrice * line.quantity, order.currencyCode);
  const total = money(order.total, order.currencyCode);
  return {
    from: 'Ordermesh <orders@shop.example>',
    to: order.email,
    subject: `Your order of ${line.name} is confirmed`,
    // No auto-reply should come back (RFC 3834, section 5).
    headers: { 'Auto-Submitted': 'auto-generated' },
    text: `Hello,

thank you for your order. Your payment went through, and this is on its way:

  ${line.quantity} x ${line.name}
  ${each} each, ${together} together

Order ${order.orderId}
Placed ${order.placedAt}
Order total ${total}

Your shop
`,
    html: `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Thank you for your order</title></head>
<body>
<h1>Thank you for your order</h1>
<p>Your payment went through, and this is on its way:</p>
<table>
<tr><td>${line.quantity} &times; ${escaped(line.name)}<br>${each} each</td><td>${together}</td></tr>
<tr><td>Order total</td><td>${total}</td></tr>
</table>
<p>Order ${order.orderId}<br>Placed ${order.placedAt}</p>
</body>
</html>
`,
  };
}
