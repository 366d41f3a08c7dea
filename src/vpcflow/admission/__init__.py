"""
Which security group rules and network ACLs admit a packet.

`RuleBook` finds all rules of all groups of an interface that match, as they were in force at the packet's time, and
`NetworkAcls` says what the ACL of its subnet makes of the packet. Neither knows anything of flows: who opened a
connection, and so which packets ask to be admitted, is for others to say; `verdicts` puts the answers into words.
"""

from vpcflow.admission.acls import NetworkAcls
from vpcflow.admission.guards import Guards
from vpcflow.admission.lists import Lists
from vpcflow.admission.packets import Admitted, Packets
from vpcflow.admission.rule_book import RuleBook

__all__ = ["Admitted", "Guards", "Lists", "NetworkAcls", "Packets", "RuleBook"]
