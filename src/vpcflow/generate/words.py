"""Words that records of templates are made of, by the methods that give them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "random.word": "anchor|basket|copper|delta|ember|forest|granite|harbour|island|juniper|kettle|lantern",
        "random.locale": "de|en|es|fr|it|ja|ko|nl|pl|pt_BR|sv|zh_CN",
        "internet.protocol": "http|https",
        "internet.domainSuffix": "com|example|net|org",
        "internet.userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
        "|Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0|curl/8.9.1",
        "name.firstName": "Ada|Akira|Amara|Ben|Chen|Dana|Elif|Emil|Femi|Grace|Hana|Ivan|Jonas|Kofi|Lena|Maya|Noor|Omar"
        "|Priya|Rosa|Sven|Tara|Uma|Victor|Wanda|Yusuf|Zoe",
        "name.lastName": "Adeyemi|Bauer|Costa|Dubois|Eriksen|Ferrari|Garcia|Haddad|Ito|Jansen|Kowalski|Larsen|Meyer"
        "|Nguyen|Okafor|Patel|Quinn|Rossi|Santos|Tanaka|Usman|Varga|Weber|Yilmaz|Zhang",
        "name.prefix": "Dr.|Mr.|Mrs.|Ms.",
        "name.suffix": "Jr.|MD|PhD|Sr.",
        "name.jobDescriptor": "Chief|Global|Junior|Lead|Principal|Regional|Senior",
        "name.jobArea": "Data|Finance|Network|Operations|Platform|Quality|Research|Security",
        "name.jobType": "Administrator|Analyst|Architect|Consultant|Designer|Engineer|Manager",
        "address.cityPrefix": "East|Lake|New|North|Port|South|West",
        "address.citySuffix": "berg|bury|field|ford|haven|mouth|ton|ville",
        "address.streetSuffix": "Avenue|Bridge|Court|Lane|Road|Square|Street|Way",
        "address.streetPrefix": "Lower|Old|Upper",
        "address.county": "Avon|Borders|Cambridgeshire|Kent|Orange County|Rutland|Surrey",
        "address.country": "Brazil|Canada|France|Germany|India|Japan|Kenya|Mexico|Norway|Poland|Spain|Turkey",
        "address.countryCode": "BR|CA|DE|ES|FR|IN|JP|KE|MX|NO|PL|TR",
        "address.state": "Alaska|California|Florida|Maine|Nevada|Ohio|Oregon|Texas|Utah|Washington",
        "address.stateAbbr": "AK|CA|FL|ME|NV|OH|OR|TX|UT|WA",
        "company.companySuffix": "and Sons|Group|Inc|LLC",
        "company.suffixes": "Inc,and Sons,LLC,Group",
        "company.catchPhraseAdjective": "Adaptive|Balanced|Distributed|Extended|Managed|Open|Robust|Secured",
        "company.catchPhraseDescriptor": "asynchronous|context-sensitive|local|modular|multi-tenant|real-time|stable",
        "company.catchPhraseNoun": "archive|firewall|framework|interface|model|protocol|software|workforce",
        "company.bsAdjective": "end-to-end|global|granular|interactive|open-source|scalable|seamless",
        "company.bsBuzz": "deliver|enable|extend|integrate|optimize|scale|streamline",
        "company.bsNoun": "channels|communities|networks|platforms|services|systems|technologies",
        "finance.accountName": "Checking Account|Credit Card Account|Investment Account|Savings Account",
        "finance.transactionType": "deposit|invoice|payment|withdrawal",
        "finance.currencyCode": "BRL|CHF|EUR|GBP|INR|JPY|NOK|USD",
        "finance.currencyName": "Euro|Indian Rupee|Norwegian Krone|Pound Sterling|Swiss Franc|US Dollar|Yen",
        "finance.currencySymbol": "$|£|¥|€",
        "lorem.word": "accusam|amet|clita|consetetur|diam|dolor|dolore|elitr|ipsum|labore|lorem|magna|sanctus|sed|sit",
        "hacker.abbreviation": "AI|CSS|DNS|HTTP|JSON|RAM|SQL|SSL|TCP|XML",
        "hacker.adjective": "auxiliary|back-end|digital|mobile|open-source|redundant|virtual|wireless",
        "hacker.noun": "bandwidth|bus|circuit|driver|firewall|interface|protocol|sensor",
        "hacker.verb": "back up|bypass|compress|generate|index|input|parse|transmit",
        "hacker.ingverb": "backing up|bypassing|compressing|generating|indexing|parsing|transmitting",
        "phone.phoneFormats": "###-###-####|(###) ###-####|1-###-###-####",
        "commerce.color": "azure|black|green|grey|indigo|ivory|olive|orange|red|silver|white",
        "commerce.department": "Books|Clothing|Electronics|Garden|Grocery|Music|Shoes|Sports|Tools|Toys",
        "commerce.productAdjective": "Ergonomic|Handmade|Licensed|Practical|Refined|Rustic|Sleek|Small",
        "commerce.productMaterial": "Concrete|Cotton|Granite|Metal|Rubber|Steel|Wooden",
        "commerce.product": "Bike|Chair|Gloves|Keyboard|Lamp|Mouse|Shirt|Table|Towels",
        "system.mimeType": "application/gzip|application/json|application/pdf|image/png|text/csv|text/html|text/plain",
        "system.commonFileType": "application|audio|image|text|video",
        "system.commonFileExt": "gz|html|jpg|json|pdf|png|txt",
        "system.fileType": "application|audio|font|image|model|text|video",
        "system.fileExt": "csv|gz|html|jpg|json|log|parquet|pdf|png|txt|xml",
        "system.directoryPath": "/etc|/home|/opt|/usr/share|/var/log",
    }
)
"""Words to choose from, divided by bars."""

_IMAGE = "https://images.example.com/640/480"
_TOPICS = "abstract animals business cats city fashion food nature nightlife people sports technics transport"

COMPOSED: Mapping[str, str] = MappingProxyType(
    {
        "random.image": f"{_IMAGE}/nature",
        "internet.avatar": "https://avatars.example.com/########.jpg",
        "internet.domainWord": "{random.word}",
        "internet.domainName": "{random.word}.{internet.domainSuffix}",
        "internet.url": "{internet.protocol}://{random.word}.{internet.domainSuffix}",
        "internet.userName": "{name.firstName}_{name.lastName}##",
        "internet.email": "{name.firstName}_{name.lastName}##@example.net",
        "internet.exampleEmail": "{name.firstName}_{name.lastName}##@example.com",
        "name.findName": "{name.firstName} {name.lastName}",
        "name.jobTitle": "{name.jobDescriptor} {name.jobArea} {name.jobType}",
        "name.title": "{name.jobDescriptor} {name.jobArea} {name.jobType}",
        "address.zipCode": "#####",
        "address.city": "{name.lastName}{address.citySuffix}",
        "address.streetName": "{name.lastName} {address.streetSuffix}",
        "address.streetAddress": "### {name.lastName} {address.streetSuffix}",
        "address.secondaryAddress": "Apt. ###",
        "address.nearbyGPSCoordinate": "{address.latitude},{address.longitude}",
        "company.companyName": "{name.lastName} {company.companySuffix}",
        "company.catchPhrase": "{company.catchPhraseAdjective} {company.catchPhraseDescriptor}"
        " {company.catchPhraseNoun}",
        "company.bs": "{company.bsBuzz} {company.bsAdjective} {company.bsNoun}",
        "image.image": f"{_IMAGE}/nature",
        "image.avatar": "https://avatars.example.com/########.jpg",
        "image.imageUrl": _IMAGE,
        **{f"image.{topic}": f"{_IMAGE}/{topic}" for topic in _TOPICS.split()},
        "lorem.sentence": "Lorem {lorem.word} {lorem.word} {lorem.word} {lorem.word}.",
        "hacker.phrase": "We have to {hacker.verb} the {hacker.adjective} {hacker.abbreviation} {hacker.noun}!",
        "phone.phoneNumber": "###-###-####",
        "phone.phoneNumberFormat": "###-###-####",
        "commerce.productName": "{commerce.productAdjective} {commerce.productMaterial} {commerce.product}",
        "system.fileName": "{random.word}_{random.word}.{system.fileExt}",
        "system.commonFileName": "{random.word}_{random.word}.{system.commonFileExt}",
        "system.filePath": "{system.directoryPath}/{random.word}.{system.fileExt}",
        "system.semver": "#.#.#",
    }
)
"""Methods that put others together: see ``fakes``."""
